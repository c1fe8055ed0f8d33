"""A training state as files: tensors in safetensors, the rest in JSON. Never pickle.

`magic train` puts the model's recipe beside them (jobs/training/training_loop.py).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from magic.checks import require
from magic.networks.packed import WEIGHTS, on_cpu, save_generator, without_ddp
from magic.training.step import TrainState

STATE, PROGRESS = "state.safetensors", "state.json"
"""Names of the files: networks and optimizers in training; the number of steps and the loss scaling."""
STATE_FORMAT = 2
"""Version of what a training state's files hold. A higher one means that older code cannot read them."""
NETWORKS = ("generator", "discriminator")
"""The fields of TrainState that are trained; the optimizer of each is the field with _optimizer after its name."""


def save_state(folder: Path, state: TrainState) -> None:
    """Write all that training needs to continue, and the averaged generator as `save_generator` writes it.

    Args:
        folder: it is made if it does not exist.
        state: to be saved.
    """
    save_generator(folder, state.average)
    tensors: dict[str, Tensor] = {}
    for name in NETWORKS:
        weights = without_ddp(getattr(state, name)).state_dict()
        tensors |= {f"{name}.{key}": tensor for key, tensor in weights.items()}
        moments = getattr(state, f"{name}_optimizer").state_dict()["state"]
        tensors |= {f"{name}_optimizer.{i}.{key}": v for i, entry in moments.items() for key, v in entry.items()}
    save_file(on_cpu(tensors), folder / STATE)
    progress = {"format": STATE_FORMAT, "step": state.step, "scaler": state.scaler.state_dict()}
    (folder / PROGRESS).write_text(json.dumps(progress) + "\n")


def load_state(folder: Path, state: TrainState) -> None:
    """Put a saved training state into a new one with the same settings.

    Args:
        folder: as `save_state` wrote it.
        state: it is overwritten. If loading fails, it may be overwritten in part: then make a new one.

    Raises:
        ValueError: if the saved state has another format, if a part of it is damaged or missing, or if it does not fit
            the networks' settings.
    """
    with _damage_explained(folder):
        progress = json.loads((folder / PROGRESS).read_text())
        version = progress["format"]
    require(
        version == STATE_FORMAT,
        f"training state format {STATE_FORMAT} in {folder}",
        version,
        "continue with the version of MAGIC that wrote it",
    )
    with _damage_explained(folder):
        device = str(state.device)
        state.average.load_state_dict(load_file(folder / WEIGHTS, device=device))
        parts = _parts(load_file(folder / STATE, device=device))
        for name in NETWORKS:
            without_ddp(getattr(state, name)).load_state_dict(parts[name])
            _load_moments(getattr(state, f"{name}_optimizer"), parts[f"{name}_optimizer"])
        if progress["scaler"]:  # empty if the training began without loss scaling, on a CPU
            state.scaler.load_state_dict(progress["scaler"])
        state.step = int(progress["step"])


@contextmanager
def _damage_explained(folder: Path) -> Iterator[None]:
    """Turn the many errors that a damaged training state causes into one that says what it is."""
    try:
        yield
    except torch.OutOfMemoryError:  # a RuntimeError, too, but no damage
        raise
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = shorten(f"{type(error).__name__}: {error}", 200, placeholder=" ...")
        raise ValueError(
            f"expected an undamaged training state of these settings in {folder}, got {reason}; "
            "continue from another checkpoint"
        ) from error


def _parts(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The saved tensors of each network and optimizer, under the names that they have there."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, rest = key.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def _load_moments(optimizer: torch.optim.Adam, tensors: dict[str, Tensor]) -> None:
    """Put saved moments into a new optimizer of the same weights."""
    moments: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        # Adam counts its steps on the CPU, wherever the weights are
        moments.setdefault(int(index), {})[name] = tensor.cpu() if name == "step" else tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
