"""The poster of most tests, and what its folder holds."""

import hashlib
from pathlib import Path

from jobs.settings.poster_config import PosterConfig

K, SEED, TILE = 3, 5, 48


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


def contents(out: str | Path) -> dict[str, str]:
    """Digest of every file that makes up a poster."""
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files_below(out)}


def files_below(out: str | Path) -> list[Path]:
    return [path for path in Path(out).rglob("*") if path.is_file()]
