"""`magic score`: measure pictures, ours or anybody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jaxtyping import UInt8
from numpy import ndarray

from jobs.settings.measure_config import ScoreConfig
from magic.checks import printable, require
from magic.geometry import Box
from magic.measures.pieces import cuts
from magic.measures.score import score as measure
from magic.measures.seams import seam_ratio
from magic.tables import measures_table
from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading import read_resized, read_single, read_source
from pipelines.pictures.settings import SourceConfig
from pipelines.posters.finished_poster import CONTENT, FinishedPoster
from pipelines.progress import counted
from pipelines.storage.door import write_object
from pipelines.storage.outputs import require_file
from pipelines.storage.records import json_bytes

MAX_POSTER_PX = 500_000_000
"""Of a poster that is measured as a whole."""


@dataclass(frozen=True, slots=True)
class ScoredPicture:
    """A picture to be measured, and what against."""

    url: str
    style: SourceConfig
    content: str | None
    poster: FinishedPoster | None = None
    """The poster that it is; measured against its own content where no other is named."""
    tile: int | None = None
    """Side of the tiles at whose borders seams are looked for."""
    offset: int = 0
    """Where the first of those borders may lie."""


def score(config: ScoreConfig) -> dict[str, dict[str, float]]:
    """Print a table of measures, a column for each picture; returns them.

    Raises:
        ValueError: if a picture cannot be read or is too small, or if no style is named.
    """
    if config.json:
        require_file(config.json)
    pictures = {picture.url: picture for url in config.pictures for picture in pictures_at(url, config)}
    measured = {}
    for picture in counted(pictures.values(), "measuring", len(pictures), "picture"):
        measured[printable(picture.url)] = measures(picture)
    print(measures_table(measured))
    if config.json:
        write_object(config.json, json_bytes(measured))
    return measured


def pictures_at(url: str, config: ScoreConfig) -> list[ScoredPicture]:
    """The pictures at a URL; a poster's folder is one, and knows its styles, its content and its tiles."""
    poster = FinishedPoster.find(url)
    if poster is None:
        return [ScoredPicture(found, config.style, config.content, tile=config.tile) for found in list_pictures([url])]
    identity, size = poster.manifest.identity, poster.store.size()
    require(
        size[0] * size[1] <= MAX_POSTER_PX,
        f"a poster of at most {MAX_POSTER_PX / 1e6:g} megapixels",
        f"{size[1]} x {size[0]} px",
        "export a part of it and give that",
    )
    urls = tuple(picture.url for picture in poster.manifest.pictures)
    style = SourceConfig(urls=urls, scale=identity.style.scale, square_px=identity.style.square_px)
    tile, padding = config.tile or identity.plan.tile, poster.store.canvas.padding_before
    return [
        ScoredPicture(
            poster.url,
            config.style if config.style.urls else style,
            config.content,
            poster=poster,
            tile=tile if max(size) + padding % tile > tile else None,
            offset=-padding % tile,  # tiles are counted from the canvas' corner
        )
    ]


@lru_cache(1)
def styles_of(source: SourceConfig) -> Sequence[UInt8[ndarray, "_ _ 3"]]:
    """The pictures of a source, once for all that are measured against it."""
    return read_source(source, min_side_px=1, name="style").pictures


def measures(scored: ScoredPicture) -> dict[str, float]:
    """All measures of one picture, by name.

    Raises:
        ValueError: if no style is named, or a picture cannot be read.
    """
    require(bool(scored.style.urls), "style pictures to compare with", "none", "give --style.urls")
    poster = scored.poster
    pixels = poster.whole("output") if poster else read_single(scored.url, "scored").pixels
    values = measure(pixels, styles_of(scored.style), content_for(scored, *pixels.shape[:2]))
    if poster:
        values |= cuts(poster.store.read("labels", Box(0, 0, *pixels.shape[:2]))[0])
    if scored.tile is not None:
        values["seam_ratio"] = seam_ratio(pixels, scored.tile, offset_px=scored.offset)
    return values


def content_for(scored: ScoredPicture, height: int, width: int) -> UInt8[ndarray, "H W 3"] | None:
    """What a picture should resemble, in its size: the named content, or a poster's own; None if there is neither."""
    if scored.content is not None:
        return read_resized(scored.content, "content", height, width)
    has_own = scored.poster is not None and CONTENT in scored.poster.layers
    return scored.poster.whole(CONTENT) if scored.poster and has_own else None
