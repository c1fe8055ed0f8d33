"""Folders of models whose files were edited, damaged, or replaced by something else."""

import json
import os
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from cluster.connection import ClusterConfig
from jobs.models.lookup import find_model
from jobs.models.recipe import RECIPE
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Generator
from magic.networks.packed import CONFIG, WEIGHTS, pack_generator
from tests.conftest import random_generator
from tests.hostile.cases import Case, Kind, UnacceptableError, answer, magic
from tests.hostile.poster_folders import cut, edit_json, flip, lose
from tests.jobs.models.registered import recipe

SETTINGS: tuple[Any, ...] = (
    None, True, "", "48", "x" * 10_000, "\x1b[2J", "\ud800", "flow", "famos", "blend", -1, 0, 1, 2, 3, 8, 9, 60, 0.5,
    1e300, -0.0, float("nan"), float("inf"), 10**9, 10**18, 10**400, [], [4], {}, {"depth": 2},
)  # fmt: skip
"""That a generator's options are given."""
HEADER_VALUES: tuple[Any, ...] = (
    None, "F64", "F16", "I64", "BOOL", "Q8", "", 5, [], [0], [-1], [8, 0], [10**18], [2**62, 4], [2**63], [2**64, 1],
    ["8"], [0, 10**18], [10**18, 0], [8, 8], {}, "x" * 10_000,
)  # fmt: skip
"""That the fields of a safetensors header are given."""
Edit = Callable[[np.random.Generator, Path], tuple[str, bool]]
"""Changes a model's folder; says what it did, and whether the model must be refused from then on."""


@cache
def models() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of two small models: the one that is changed, and another one."""

    def files(generator: Generator) -> dict[str, bytes]:
        packed = pack_generator(generator)
        return {CONFIG: packed.config.encode(), WEIGHTS: packed.weights, RECIPE: recipe(guided=False).to_bytes()}

    return files(random_generator(2, guided=False)), files(random_generator(3, 1, refine="blend", warp="flow"))


def model_folder(rng: np.random.Generator, folder: Path) -> Case:
    """A model's folder with one change."""
    model = folder / "model"
    model.mkdir()
    for name, data in models()[0].items():
        (model / name).write_bytes(data)
    done, must_refuse = EDITS[int(rng.integers(len(EDITS)))](rng, model)
    asks_by_command = rng.random() < 0.2

    def try_it() -> str:
        said = answer(lambda: require_painting(find_model(str(model), ClusterConfig()).generator()))
        if must_refuse and said != "refused":
            raise UnacceptableError(f"{said}, although {done}")
        if asks_by_command and said == "refused" and not magic("sample", "--model", model, "--out", folder / "out")[0]:
            raise UnacceptableError(f"sampled, although {done}")
        return said

    return Case(done, try_it)


def require_painting(generator: Generator) -> None:
    """Fail unless a generator that was read paints numbers."""
    config, side = generator.config, generator.config.multiple
    content = torch.zeros(1, 3, side, side) if config.guided else None
    with torch.no_grad():
        image = generator(content, torch.zeros(1, config.memory_size or 2, 3, side, side)).image
    if image.shape != (1, 3, side, side) or not image.isfinite().all():
        raise UnacceptableError(f"a picture {list(image.shape)} that is none")


def edit_setting(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """One option of the generator."""
    described = json.loads((model / CONFIG).read_text())
    names = [*(part.name for part in fields(GeneratorConfig)), "colour"]
    name, value = names[int(rng.integers(len(names)))], SETTINGS[int(rng.integers(len(SETTINGS)))]
    before = described["generator"].get(name)
    described["generator"][name] = value
    (model / CONFIG).write_text(json.dumps(described))
    must_refuse = name == "colour" or isinstance(value, list | dict) or value in (10**9, 10**18, 10**400, -1, "48")
    return f"{name} is {value!r:.50} and not {before!r}", must_refuse


def edit_record(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """A mistake in one of the JSON files."""
    name = str(rng.choice([CONFIG, RECIPE]))
    data = edit_json(rng, (model / name).read_bytes())
    (model / name).write_bytes(data)
    return f"edited {name}: {data[:60]!r}", False


def damage_text(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """A JSON file that is no longer JSON, or no longer text."""
    name = str(rng.choice([CONFIG, RECIPE]))
    data = (model / name).read_bytes()
    place = int(rng.integers(1, len(data) - 2))
    damaged = {
        "twice in one file": data + data,
        "with a byte that is no text": data[:place] + b"\xff" + data[place:],
        "nested deeply": b'{"a": ' * 50_000,
        "a list": b"[" + data + b"]",
        "without its end": data[:place],
        "as half of UTF-16": data.decode().encode("utf-16-be") + b"\xd8",
        "of 10 MB of blanks": b" " * 10_000_000,
        "with a key twice": data.replace(b"{", b'{"format": 2, "format": 2,', 1),
        "with a number of a million digits": data.replace(b"{", b'{"a": 1' + b"0" * 1_000_000 + b",", 1),
    }
    done = list(damaged)[int(rng.integers(len(damaged)))]
    (model / name).write_bytes(damaged[done])
    return f"{name} {done}", True


def edit_tensor(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """One tensor of the weights."""
    tensors = load((model / WEIGHTS).read_bytes())
    name = sorted(tensors)[int(rng.integers(len(tensors)))]
    spoilt = tensors[name].clone()
    spoilt.view(-1)[int(rng.integers(spoilt.numel()))] = float(rng.choice([np.nan, np.inf, -np.inf]))
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.bool, torch.complex64]
    kind = kinds[int(rng.integers(len(kinds)))]
    changed = {
        "a number that is none": {name: spoilt},
        f"numbers of type {kind}": {name: tensors[name].to(kind)},
        "no numbers": {name: tensors[name].flatten()[:0]},
        "one dimension more": {name: tensors[name][None].contiguous()},
        "twice as many": {name: tensors[name].repeat(2, *[1] * (tensors[name].dim() - 1))},
        "one more beside it": {f"{name}.more": tensors[name].clone()},
        "an odd name beside it": {"\x1b[2J\n": tensors[name].clone()},
    }
    done = list(changed)[int(rng.integers(len(changed)))]
    (model / WEIGHTS).write_bytes(save({**tensors, **changed[done]}))
    return f"{name} has {done}", True


def lose_tensor(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """Weights without one of their tensors, or with it under another name."""
    tensors = load((model / WEIGHTS).read_bytes())
    name = sorted(tensors)[int(rng.integers(len(tensors)))]
    tensor = tensors.pop(name)
    if rng.integers(2):
        tensors[name.upper()] = tensor
    (model / WEIGHTS).write_bytes(save(tensors))
    return f"{name} is lost", True


def edit_header(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """One field of the weights' header."""
    data = (model / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = sorted(header)[int(rng.integers(len(header)))]
    field = str(rng.choice(["dtype", "shape", "data_offsets", "all of it"]))
    value = HEADER_VALUES[int(rng.integers(len(HEADER_VALUES)))]
    before = header[name] if field == "all of it" else header[name][field]
    if field == "all of it":
        header[name] = value
    else:
        header[name][field] = value
    text = json.dumps(header).encode()
    (model / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return f"{field} of {name} is {value!r:.50} and not {before!r:.50}", value != before


def damage_header(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """Weights whose header is none, or of another length than it says."""
    data = (model / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    said = int(rng.choice([0, 1, length - 1, length + 1, 10**8, 10**8 + 1, 2**40, 2**63 - 1]))
    damaged = {
        f"says {said}": said.to_bytes(8, "little") + data[8:],
        "says 2^64 - 1": b"\xff" * 8 + data[8:],
        "is nested deeply": (200_000).to_bytes(8, "little") + b'{"a":' * 40_000,
        "is of 20 MB of blanks": (20_000_000).to_bytes(8, "little") + b"{}" + b" " * 19_999_998,
        "names 100,000 empty tensors": many_tensors(),
        "is no text": data[:8] + b"\xff" * length + data[8 + length :],
        "ends early": data[: int(rng.integers(8 + length))],
        "is not there": b"",
        "is a pickle": b"\x80\x04cos\nsystem\n(S'false'\ntR." + data,
        "is a zip": b"PK\x03\x04" + data,
        "is followed by more": data + b"\0",
        "is followed by less": data[:-1],
    }
    done = list(damaged)[int(rng.integers(len(damaged)))]
    (model / WEIGHTS).write_bytes(damaged[done])
    return f"the weights' header {done}", True


@cache
def many_tensors() -> bytes:
    """Weights of very many tensors without a number."""
    one = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(number): one for number in range(100_000)}).encode()
    return len(header).to_bytes(8, "little") + header


def damage_file(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """One flipped bit, a cut or a lost file; a folder has no digest that would tell of a flipped bit."""
    path = model / str(rng.choice([CONFIG, WEIGHTS, RECIPE]))
    action = (flip, cut, lose)[int(rng.integers(3))]
    done = action(rng, path, path)
    return f"{done} {path.name}", action is not flip and path.name == WEIGHTS


def replace_file(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """Something that is no file of a model, and may have no end."""
    path = model / str(rng.choice([CONFIG, WEIGHTS, RECIPE]))
    path.unlink()
    makers: dict[str, Callable[[], object]] = {
        "a pipe": lambda: os.mkfifo(path),
        "an endless device": lambda: path.symlink_to("/dev/zero"),
        "an empty device": lambda: path.symlink_to("/dev/null"),
        "a folder": path.mkdir,
        "a link to itself": lambda: path.symlink_to(path),
        "40 GB of nothing": lambda: path.touch() or os.truncate(path, 40_000_000_000),
    }
    what = list(makers)[int(rng.integers(len(makers)))]
    makers[what]()
    return f"{path.name} is {what}", True


def swap_file(rng: np.random.Generator, model: Path) -> tuple[str, bool]:
    """The weights or the configuration of another model."""
    name = str(rng.choice([CONFIG, WEIGHTS]))
    (model / name).write_bytes(models()[1][name])
    return f"{name} of another model", True


EDITS: tuple[Edit, ...] = (
    *(edit_setting, edit_setting, edit_record, damage_text, edit_tensor, edit_tensor, lose_tensor),
    *(edit_header, damage_header, damage_file, replace_file, swap_file),
)
"""What is done to a folder, as often as it stands here."""
MODEL_FOLDER = Kind(model_folder, 150, models)
