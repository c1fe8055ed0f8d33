"""Models and training states on disk: safetensors weights beside a JSON description. Never pickle."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from magic.networks.packed import FORMAT, WEIGHTS, on_cpu, plain, save_generator
from magic.training.step import TrainState

STATE, PROGRESS = "state.safetensors", "state.json"


def save_state(folder: Path, state: TrainState) -> None:
    """Write everything that training needs to go on, and the averaged generator as save_generator does."""
    save_generator(folder, state.average)
    tensors: dict[str, Tensor] = {}
    for name in ("generator", "discriminator"):
        tensors |= {f"{name}.{k}": v for k, v in plain(getattr(state, name)).state_dict().items()}
        moments = getattr(state, f"{name}_optimizer").state_dict()["state"]
        tensors |= {f"{name}_optimizer.{i}.{k}": v for i, entry in moments.items() for k, v in entry.items()}
    save_file(on_cpu(tensors), folder / STATE)
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
