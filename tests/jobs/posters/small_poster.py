"""The posters of most tests, and what their folders hold."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.settings.poster_config import PosterConfig
from magic.networks.packed import save_generator
from tests.conftest import random_generator

K, SEED, TILE = 3, 5, 96


def small_poster(model: Path, pictures: Path, out: Path) -> PosterConfig:
    """The poster of these tests, made by one worker."""
    return PosterConfig(
        model=str(model),
        content=f"{pictures}/content/portrait.png",
        style=(f"{pictures}/style",),
        out=str(out),
        templates=K,
        seed=SEED,
        tile=TILE,
        keep=True,
        formats=("png", "tiff"),
        also=("collage", "labels"),
        workers=1,
    )


def refined_poster(pictures: Path, folder: Path, **changes: Any) -> PosterConfig:
    """A poster of a model with a refiner, which is made in the folder beside it."""
    save_generator(folder / "model", random_generator(2, refine="blend"))
    settings = PosterConfig(
        model=str(folder / "model"),
        content=f"{pictures}/content/portrait.png",
        style=(f"{pictures}/style",),
        out=str(folder / "poster"),
        templates=K,
        keep=False,
    )
    return replace(settings, **changes)


def contents(out: str | Path) -> dict[str, str]:
    """Digest of every file that makes up a poster."""
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files_below(out)}


def files_below(out: str | Path) -> list[Path]:
    return [path for path in Path(out).rglob("*") if path.is_file()]
