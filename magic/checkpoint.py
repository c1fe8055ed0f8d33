"""Models and training states on disk: safetensors weights beside a JSON description. Never pickle."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save, save_file
from torch import Tensor, nn

from magic.baselines import build_generator
from magic.config import GeneratorConfig, require
from magic.generator import Generator
from magic.step import TrainState, plain

WEIGHTS, CONFIG, RECIPE = "generator.safetensors", "generator.json", "recipe.json"
STATE, PROGRESS = "state.safetensors", "state.json"
FORMAT = 2


class Packed(NamedTuple):
    """A generator as bytes: what its files CONFIG and WEIGHTS hold."""

    config: str
    weights: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of both."""
        return hashlib.sha256(self.config.encode() + b"\0" + self.weights).hexdigest()


def pack_generator(generator: nn.Module) -> Packed:
    """A generator as bytes."""
    model = plain(generator)
    assert isinstance(model, Generator)
    config = json.dumps({"format": FORMAT, "generator": asdict(model.config)}, indent=2) + "\n"
    return Packed(config, save(_on_cpu(model.state_dict())))


def unpack_generator(packed: Packed) -> Generator:
    """The generator that pack_generator packed.

    Raises:
        ValueError: if either part is damaged or of another format.
    """
    try:
        description = json.loads(packed.config)
        require(description["format"] == FORMAT, f"model format {FORMAT}", description["format"], "update MAGIC")
        model = build_generator(GeneratorConfig(**description["generator"]))
        model.load_state_dict(load(packed.weights))
    except (SafetensorError, RuntimeError, KeyError, TypeError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected an undamaged model, got: {reason}; fetch it again") from error
    return model


def save_generator(folder: Path, generator: nn.Module) -> None:
    """Write a generator's weights and configuration into a folder."""
    packed = pack_generator(generator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(packed.weights)
    (folder / CONFIG).write_text(packed.config)


def save_state(folder: Path, state: TrainState) -> None:
    """Write everything that training needs to go on, and the averaged generator as save_generator does."""
    save_generator(folder, state.average)
    tensors: dict[str, Tensor] = {}
    for name in ("generator", "discriminator"):
        tensors |= {f"{name}.{k}": v for k, v in plain(getattr(state, name)).state_dict().items()}
        moments = getattr(state, f"{name}_optimizer").state_dict()["state"]
        tensors |= {f"{name}_optimizer.{i}.{k}": v for i, entry in moments.items() for k, v in entry.items()}
    save_file(_on_cpu(tensors), folder / STATE)
    progress = {"format": FORMAT, "step": state.step, "scaler": state.scaler.state_dict()}
    (folder / PROGRESS).write_text(json.dumps(progress) + "\n")


def load_state(folder: Path, state: TrainState) -> None:
    """Put a saved training state into a fresh one of the same configuration."""
    device = str(state.device)
    state.average.load_state_dict(load_file(folder / WEIGHTS, device=device))
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(folder / STATE, device=device).items():
        part, _, rest = key.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    for name in ("generator", "discriminator"):
        plain(getattr(state, name)).load_state_dict(parts[name])
        _load_moments(getattr(state, f"{name}_optimizer"), parts[f"{name}_optimizer"])
    progress = json.loads((folder / PROGRESS).read_text())
    if progress["scaler"]:  # empty where the run began without loss scaling, on a CPU
        state.scaler.load_state_dict(progress["scaler"])
    state.step = progress["step"]


def _load_moments(optimizer: torch.optim.Adam, tensors: dict[str, Tensor]) -> None:
    moments: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        # Adam counts steps on the CPU, wherever the weights are
        moments.setdefault(int(index), {})[name] = tensor.cpu() if name == "step" else tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
