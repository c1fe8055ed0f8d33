"""A training state as files: tensors in safetensors, the rest in JSON. Never pickle.

`magic train` puts the model's recipe beside them (jobs/training/training_loop.py).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from magic.checks import is_number, require, short_repr, typed_line
from magic.json_files import parse_object
from magic.networks.packed import WEIGHTS, on_cpu, require_fitting, require_short_header, save_generator, without_ddp
from magic.training.step import TrainState

STATE, PROGRESS = "state.safetensors", "state.json"
"""Names of the files: networks and optimizers in training; the number of steps and the loss scaling."""
STATE_FORMAT = 2
"""Version of what a training state's files hold. A higher one means that older code cannot read them."""
NETWORKS = ("generator", "discriminator")
"""The fields of TrainState that are trained; the optimizer of each is the field with _optimizer after its name."""
SCALER_FIELDS = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
"""Of torch's GradScaler, as its state_dict names them."""
OTHER_CHECKPOINT = "continue from another checkpoint"


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
    progress = _read_progress(folder / PROGRESS)
    average = _read_tensors(folder / WEIGHTS, state.average.state_dict(), state.device)
    parts = _parts(_read_tensors(folder / STATE, _expected(state), state.device))
    state.average.load_state_dict(average)
    for name in NETWORKS:
        without_ddp(getattr(state, name)).load_state_dict(parts[name])
        _load_moments(getattr(state, f"{name}_optimizer"), parts[f"{name}_optimizer"])
    if progress["scaler"]:  # empty if the training began without loss scaling, on a CPU
        state.scaler.load_state_dict(progress["scaler"])
    state.step = progress["step"]


def _read_progress(path: Path) -> dict[str, Any]:
    """The numbers of a training state."""
    found = parse_object(_regular(path).read_bytes(), f"the progress of a training in {path}")
    version, step, scaler = (found.get(name) for name in ("format", "step", "scaler"))
    require(
        version == STATE_FORMAT,
        f"training state format {STATE_FORMAT} in {path}",
        version,
        "continue with the version of MAGIC that wrote it",
    )
    require(
        is_number(step) and isinstance(step, int) and step >= 0, f"a number of steps in {path}", step, OTHER_CHECKPOINT
    )
    is_scaler = isinstance(scaler, dict) and all(is_number(value) and value >= 0 for value in scaler.values())
    require(
        is_scaler and (not scaler or (scaler.keys() == SCALER_FIELDS and scaler["scale"] > 0)),
        f"no loss scaling in {path}, or all its numbers",
        scaler,
        OTHER_CHECKPOINT,
    )
    return found


def _read_tensors(path: Path, expected: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The tensors in a file, if they are those expected."""
    with _regular(path).open("rb") as file:
        require_short_header(file.read(8), str(path))
    try:
        tensors = load_file(path, device=str(device))
    except (OSError, SafetensorError, KeyError) as error:
        reason = short_repr(typed_line(error))
        raise ValueError(f"expected undamaged tensors in {path}, got {reason}; {OTHER_CHECKPOINT}") from error
    require_fitting(tensors, expected, str(path))
    return tensors


def _regular(path: Path) -> Path:
    """A file that can be read to its end: there, and no device or pipe."""
    require(path.is_file(), f"the file {path} of a training state", "none", OTHER_CHECKPOINT)
    return path


def _expected(state: TrainState) -> dict[str, Tensor]:
    """Tensors with the names, types and shapes of those that save_state writes, whatever their values."""
    tensors: dict[str, Tensor] = {}
    for name in NETWORKS:
        network = without_ddp(getattr(state, name))
        tensors |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
        for number, weight in enumerate(network.parameters()):
            moments = {"step": torch.zeros(()), "exp_avg": weight, "exp_avg_sq": weight}
            tensors |= {f"{name}_optimizer.{number}.{key}": tensor for key, tensor in moments.items()}
    return tensors


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
