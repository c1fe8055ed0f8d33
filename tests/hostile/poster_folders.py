"""Finished posters whose files were damaged or edited."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import ray
from PIL import Image

from magic.networks.packed import CONFIG, WEIGHTS, save_generator
from pipelines.posters.poster_records import FILES, MANIFEST
from pipelines.storage.checked_folder import CheckedFolder
from pipelines.storage.claims import IDENTITY
from tests.conftest import random_generator, textured
from tests.hostile.cases import Case, Kind, UnacceptableError, magic
from tests.jobs.posters.small_poster import contents

WIDTH_PX, HEIGHT_PX = 530, 270
K = 3


@dataclass(frozen=True)
class Posters:
    """Two posters of one size, the model that painted both, and the first one as a PNG."""

    folder: Path

    @property
    def command(self) -> list[str]:
        """What paints the first one, but for its --out."""
        return [
            *("poster", "--model", f"{self.folder}/model", "--content", f"{self.folder}/content.png"),
            *("--style", f"{self.folder}/style", "--templates", str(K), "--tile", "192", "--keep", "False"),
            *("--formats", "png", "--workers", "1"),
        ]

    def paint(self) -> None:
        """Make them all."""
        rng = np.random.default_rng(15)
        (self.folder / "style").mkdir(parents=True)
        Image.fromarray(textured(rng, HEIGHT_PX, WIDTH_PX)).save(self.folder / "content.png")
        for number in range(2):
            Image.fromarray(textured(rng, 100, 120)).save(self.folder / "style" / f"{number}.png")
        save_generator(self.folder / "model", random_generator(2, refine="blend"))
        for name, seed in (("one", 0), ("other", 1)):
            require_success(*self.command, "--seed", seed, "--out", self.folder / name)
        require_success("export", self.folder / "one", self.folder / "one.png")

    def copy(self, folder: Path) -> Path:
        """The first one, to be damaged."""
        return Path(shutil.copytree(self.folder / "one", folder / "poster"))


@cache
def posters() -> Posters:
    """Painted once for all processes that try cases."""
    made = Posters(Path(tempfile.gettempdir(), "posters"))
    if not (made.folder / "one.png").exists():
        shutil.rmtree(made.folder, ignore_errors=True)
        made.paint()
    return made


def posters_and_ray() -> None:
    """The posters, and a session of Ray that stays, whose processes have loaded all that they need."""
    made = posters()
    ray.init(num_cpus=4, object_store_memory=200_000_000, include_dashboard=False, log_to_driver=False)
    require_success(*made.command, "--seed", 2, "--out", made.folder / "first of this session")


def damaged(rng: np.random.Generator, folder: Path) -> Case:
    """A poster with one damaged file: an export and a check find it, and name it."""
    poster = posters().copy(folder)
    if not rng.integers(10):
        return damaged_model(rng, poster, folder)
    file, done = damage(rng, poster)
    return Case(f"{done} {file}", lambda: found(poster, file))


def mended(rng: np.random.Generator, folder: Path) -> Case:
    """A poster with one damaged file: its command makes it anew, the very same."""
    poster = posters().copy(folder)
    file, done = damage(rng, poster)
    command = [*posters().command, "--seed", 0, "--out", poster]

    def try_it() -> str:
        found(poster, file)
        require_success(*command)
        if contents(str(poster)) != contents(f"{posters().folder}/one"):
            raise UnacceptableError(f"made anew after {done} {file}, but not the same")
        return "made anew"

    return Case(f"{done} {file}", try_it)


def damaged_model(rng: np.random.Generator, poster: Path, folder: Path) -> Case:
    """A poster whose model has one damaged file: a check finds it, and an export does not need it."""
    model, file = folder / "model", str(rng.choice([WEIGHTS, CONFIG]))
    shutil.copytree(posters().folder / "model", model)
    done = DAMAGES[int(rng.integers(3))](rng, model / file, model / file)
    fields = json.loads((poster / MANIFEST).read_text())
    fields["identity"]["model"]["uri"] = str(model)
    CheckedFolder(str(poster)).replace(MANIFEST, json.dumps(fields).encode())

    def try_it() -> str:
        require_refusal(str(model), "verify", poster)
        require_success("export", poster, folder / "shown.png")
        return same_pixels(folder / "shown.png")

    return Case(f"{done} the model's {file}", try_it)


def edited(rng: np.random.Generator, folder: Path) -> Case:
    """A poster with an edited record: told as damage or, where its digest was recorded anew, by file and field."""
    poster = posters().copy(folder)
    file = str(
        rng.choice([MANIFEST, IDENTITY, FILES, "tiles.zarr/output/0/zarr.json", "tiles.zarr/labels/0/zarr.json"])
    )
    before = (poster / file).read_bytes()
    data = edit_json(rng, before)
    is_recorded = bool(rng.integers(2))
    if is_recorded:
        CheckedFolder(str(poster)).replace(file, data)
    else:
        (poster / file).write_bytes(data)

    def try_it() -> str:
        if data == before:
            return "the same"
        if not is_recorded:
            return found(poster, file)
        codes = [
            magic("export", poster, folder / f"{layer}.png", "--layer", layer)[0] for layer in ("output", "labels")
        ]
        return "refused" if any(codes) else "accepted"

    return Case(f"edited {file} {'with' if is_recorded else 'without'} its digest: {data[:80]!r}", try_it)


def flip(rng: np.random.Generator, path: Path, other: Path) -> str:
    """One bit of one byte."""
    data, place = bytearray(path.read_bytes()), int(rng.integers(path.stat().st_size))
    data[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    return f"flipped byte {place} of"


def cut(rng: np.random.Generator, path: Path, other: Path) -> str:
    """A file that ends early."""
    length = int(rng.integers(path.stat().st_size))
    os.truncate(path, length)
    return f"cut to {length} bytes"


def lose(rng: np.random.Generator, path: Path, other: Path) -> str:
    """A file that is gone."""
    path.unlink()
    return "lost"


def swap(rng: np.random.Generator, path: Path, other: Path) -> str:
    """A file of another poster."""
    path.write_bytes(other.read_bytes())
    return "swapped"


DAMAGES: tuple[Callable[[np.random.Generator, Path, Path], str], ...] = (flip, cut, lose, swap)


def damage(rng: np.random.Generator, poster: Path) -> tuple[str, str]:
    """Damage one file of a poster; returns its path below the poster's folder, and what was done to it."""
    files = sorted(path for path in poster.rglob("*") if path.is_file() and is_checked(path.relative_to(poster)))
    path = files[int(rng.integers(len(files)))]
    file = str(path.relative_to(poster))
    other, before = posters().folder / "other" / file, path.read_bytes()
    while path.exists() and path.read_bytes() == before:  # two posters may have the same label map in places
        done = DAMAGES[int(rng.integers(len(DAMAGES)))](rng, path, other)
    return file, done


def is_checked(file: Path) -> bool:
    """Whether a file is a shard, a statistic or a record."""
    return file.parts[0] in ("tiles.zarr", "statistics") or file.name in (MANIFEST, IDENTITY, FILES)


def edit_json(rng: np.random.Generator, data: bytes) -> bytes:
    """A JSON file after a mistake at one place in it."""
    fields = json.loads(data)
    keys: list[Any] = []
    at = fields
    while isinstance(at, dict | list) and at and (not keys or rng.integers(4)):
        keys.append(list(at)[int(rng.integers(len(at)))] if isinstance(at, dict) else int(rng.integers(len(at))))
        holder, at = at, at[keys[-1]]
    wrong: list[Any] = [
        None,
        0,
        -1,
        1.5,
        10**400,
        2**63,
        "",
        "x" * 10_000,
        [],
        {},
        True,
        float("nan"),
        "\x1b[31m",
        "../..",
    ]
    action = int(rng.integers(5))
    if action == 0:
        del holder[keys[-1]]
    elif action == 1 and isinstance(holder, dict):
        holder[f"{keys[-1]}_"] = at
    elif action == 2:
        holder[keys[-1]] = json.loads("[" * 500 + "]" * 500)
    elif action == 3:
        text = data.decode()
        return (
            text.rstrip().removesuffix("}") + f', "{keys[0]}": {json.dumps(wrong[int(rng.integers(4))])}}}'
        ).encode()
    else:
        holder[keys[-1]] = wrong[int(rng.integers(len(wrong)))]
    return json.dumps(fields, indent=2).encode()


def found(poster: Path, file: str) -> str:
    """Fail unless an export and a check refuse a poster, and name the file."""
    shown = poster.parent / "shown.png"
    require_refusal(file, "export", poster, shown)
    require_refusal(file, "verify", poster)
    if shown.exists():
        raise UnacceptableError(f"{shown.name} was written of a damaged poster")
    return "found"


def same_pixels(shown: Path) -> str:
    """Fail unless an export is as it was of the sound poster."""
    if shown.read_bytes() != (posters().folder / "one.png").read_bytes():
        raise UnacceptableError(f"{shown.name} differs from what the sound poster gives")
    return "the same pixels"


def require_refusal(named: str, *command: object) -> None:
    """Fail unless a command ends by an error that names this."""
    code, line = magic(*command)
    if not code or named not in line:
        raise UnacceptableError(f"expected an error that names {named}, got {code}: {line!r}")


def require_success(*command: object) -> None:
    """Fail unless a command ends well."""
    code, line = magic(*command)
    if code:
        raise UnacceptableError(f"magic {' '.join(map(str, command))}: {line}")


DAMAGED = Kind(damaged, num_tested=150, prepare=posters)
MENDED = Kind(mended, num_tested=3, prepare=posters_and_ray)
EDITED = Kind(edited, num_tested=100, prepare=posters)
