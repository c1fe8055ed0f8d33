"""A generator as files: safetensors weights beside a JSON description. Never pickle."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from magic.checks import require
from magic.hyperparameters import GeneratorConfig
from magic.networks.baselines import build_generator
from magic.networks.generator import Generator

WEIGHTS, CONFIG, RECIPE = "generator.safetensors", "generator.json", "recipe.json"
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
    return Packed(config, save(on_cpu(model.state_dict())))


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


def on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are saved."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def plain(network: nn.Module) -> nn.Module:
    """The network itself, without what distributes it."""
    return network.module if isinstance(network, DistributedDataParallel) else network
