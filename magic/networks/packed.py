"""A generator as bytes and as files: its weights in safetensors, its configuration in JSON. Never pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from magic.checks import first_line, require, short_repr
from magic.hyperparameters import GeneratorConfig
from magic.json_files import parse_object
from magic.networks.generator import Generator, build_generator

WEIGHTS, CONFIG = "generator.safetensors", "generator.json"
"""Names of a model's files: the weights and the configuration."""
MODEL_FORMAT = 2
"""Version of what WEIGHTS and CONFIG hold. A higher one means that older code cannot read them."""

MAX_HEADER_BYTES = 1_000_000
"""Of a safetensors file: room for some 8,000 tensors. A training state of the paper's size has 816."""


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

    The weights are compared with the configuration before anything is built, so that no configuration can ask for more
    memory than its weights take.

    Raises:
        ValueError: if either part is damaged, was written in another format, or does not fit the other.
    """
    config = _unpack_config(packed.config)
    with torch.device("meta"):  # shapes without memory
        expected = build_generator(config).state_dict()
    require_short_header(packed.weights[:8], WEIGHTS)
    try:
        tensors = load(packed.weights)
    except (SafetensorError, KeyError) as error:
        reason = short_repr(first_line(error))
        raise ValueError(f"expected undamaged weights in {WEIGHTS}, got: {reason}; fetch the model again") from error
    require_fitting(tensors, expected, WEIGHTS)
    model = build_generator(config)
    model.load_state_dict(tensors)
    return model


def _unpack_config(text: str) -> GeneratorConfig:
    description = parse_object(text, f"a model's configuration in {CONFIG}")
    version, settings = description.get("format"), description.get("generator", {})
    require(version == MODEL_FORMAT, f"model format {MODEL_FORMAT} in {CONFIG}", version, "update MAGIC")
    known = {part.name for part in fields(GeneratorConfig)}
    require(
        isinstance(settings, dict) and settings.keys() <= known,
        f"the settings of a generator in {CONFIG}, {', '.join(sorted(known))}",
        settings,
        "fetch the model again, or update MAGIC",
    )
    try:
        return GeneratorConfig(**settings)
    except ValueError as error:
        raise ValueError(f"{CONFIG}: {error}") from error


def require_short_header(start: bytes, file: str) -> None:
    """Refuse a safetensors file whose header is so long that reading it alone would take long.

    Args:
        start: the file's first 8 bytes: the header's length, the lowest byte first.
        file: as an error calls it.

    Raises:
        ValueError: if it is longer than any of ours.
    """
    length, limit = int.from_bytes(start, "little"), MAX_HEADER_BYTES
    require(length <= limit, f"a header of at most {limit} bytes in {file}", length, "fetch it again")


def require_fitting(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> None:
    """Refuse tensors that are not those expected: by name, type of number and shape; and numbers that are not finite.

    Args:
        tensors: that were read.
        expected: tensors of the same types and shapes; they may be on the device "meta".
        file: they were read from, as an error calls it.

    Raises:
        ValueError: for the first difference.
    """
    advice = "fetch it again"
    missing, unknown = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    require(not missing, f"the weights of its settings in {file}", f"none for {min(missing, default='')}", advice)
    require(not unknown, f"the weights of its settings in {file}", f"also {min(unknown, default='')}", advice)
    for name, wanted in expected.items():
        kind, came = _kind(wanted), _kind(tensors[name])
        require(came == kind, f"{name} in {file} to be {kind}, as its settings say", came, advice)
    for name, tensor in tensors.items():
        require(
            bool(tensor.isfinite().all()), f"finite numbers in {file}", f"NaN or infinity in {name}", "take another"
        )


def _kind(tensor: Tensor) -> str:
    """A tensor's type of number and its shape: float32[48 6 5 5]."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{' '.join(map(str, tensor.shape))}]"


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
