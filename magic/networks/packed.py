"""A generator as bytes and as files: its weights in safetensors, its configuration in JSON. Never pickle."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from magic.checks import first_line, require
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Generator, build_generator

WEIGHTS, CONFIG = "generator.safetensors", "generator.json"
"""Names of a model's files: the weights and the configuration."""
MODEL_FORMAT = 2
"""Version of what WEIGHTS and CONFIG hold. A higher one means that older code cannot read them."""


class Packed(NamedTuple):
    """A generator as bytes."""

    config: str
    """The text of its file CONFIG."""
    weights: bytes
    """The bytes of its file WEIGHTS."""

    @property
    def digest(self) -> str:
        """SHA-256 of both parts, in hexadecimal."""
        return hashlib.sha256(self.config.encode() + b"\0" + self.weights).hexdigest()


def pack_generator(generator: nn.Module) -> Packed:
    """A generator as bytes, on whatever device it is, and whether DDP wraps it or not."""
    model = without_ddp(generator)
    assert isinstance(model, Generator)
    config = json.dumps({"format": MODEL_FORMAT, "generator": asdict(model.config)}, indent=2) + "\n"
    return Packed(config, save(on_cpu(model.state_dict())))


def unpack_generator(packed: Packed) -> Generator:
    """The generator that pack_generator packed, on the CPU.

    Raises:
        ValueError: if either part is damaged, or was written in another format.
    """
    try:
        description = json.loads(packed.config)
        require(
            description["format"] == MODEL_FORMAT, f"model format {MODEL_FORMAT}", description["format"], "update MAGIC"
        )
        model = build_generator(GeneratorConfig(**description["generator"]))
        model.load_state_dict(load(packed.weights))
    except (SafetensorError, RuntimeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"expected an undamaged model, got: {first_line(error)}; fetch it again") from error
    return model


def save_generator(folder: Path, generator: nn.Module) -> None:
    """Write a generator's files WEIGHTS and CONFIG into a folder, which is made if it does not exist."""
    packed = pack_generator(generator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(packed.weights)
    (folder / CONFIG).write_text(packed.config)


def on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors can save them: detached, contiguous and on the CPU."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def without_ddp(network: nn.Module) -> nn.Module:
    """The network itself, if DistributedDataParallel wraps it."""
    return network.module if isinstance(network, DistributedDataParallel) else network
