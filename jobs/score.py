"""`magic score`: measure pictures, ours or anybody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from tqdm import tqdm

from jobs.settings.measure_config import ScoreConfig
from magic.checks import require
from magic.geometry import Box
from magic.measures.pieces import cuts
from magic.measures.score import score as measure
from magic.measures.seams import seam_ratio
from magic.tables import as_table
from pipelines.pictures.decoding import list_pictures
from pipelines.pictures.reading import read_single, read_source
from pipelines.pictures.settings import SourceConfig
from pipelines.store.finished_poster import FinishedPoster
from pipelines.store.storage import absolute, write_json


@dataclass(frozen=True, slots=True)
class Subject:
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
    found = {subject.url: subject for url in config.pictures for subject in subjects(url, config)}
    measured = {}
    for subject in tqdm(found.values(), desc="measuring", unit="picture", disable=len(found) < 2):
        measured[subject.url.removeprefix("file://")] = measures(subject)
    print(as_table(measured))
    if config.json:
        write_json(absolute(config.json), measured)
    return measured


def subjects(url: str, config: ScoreConfig) -> list[Subject]:
    """The pictures at a URL; a poster's folder is one, and knows its styles, its content and its tiles."""
    poster = FinishedPoster.find(url)
    if poster is None:
        return [Subject(found, config.style, config.content, tile=config.tile) for found in list_pictures([url])]
    own, size = poster.manifest["style"], poster.store.size()
    most = config.style.max_megapixels
    require(
        size[0] * size[1] <= 1e6 * most,
        f"a poster of at most {most:g} megapixels",
        f"{size[1]} x {size[0]} px",
        "export a part of it and give that",
    )
    pictures = tuple(picture["url"] for picture in poster.pictures)  # those that were of use
    style = SourceConfig(urls=pictures, scale=own["scale"], square_px=own["square_px"])
    tile, bleed = config.tile or poster.manifest["tile"], poster.store.canvas.bleed_before
    return [
        Subject(
            poster.url,
            config.style if config.style.urls else style,
            config.content,
            poster=poster,
            tile=tile if max(size) + bleed % tile > tile else None,
            offset=-bleed % tile,  # tiles are counted from the canvas' corner
        )
    ]


@lru_cache(1)
def styles_of(source: SourceConfig) -> Sequence[UInt8[ndarray, "_ _ 3"]]:
    """The pictures of a source, once for all that are measured against it."""
    return read_source(source, min_side_px=1, name="style").pictures


def measures(subject: Subject) -> dict[str, float]:
    """What is known of one picture."""
    require(bool(subject.style.urls), "style pictures to compare with", "none", "give --style.urls")
    poster = subject.poster
    picture = poster.whole("output") if poster else read_single(subject.url, "scored").pixels
    styles = styles_of(subject.style)
    content = None
    if subject.content is not None:
        height, width, _ = picture.shape
        read = Image.fromarray(read_single(subject.content, "content").pixels)
        content = np.array(read.resize((width, height), Image.Resampling.LANCZOS))
    elif poster and "content" in poster.layers:
        content = poster.whole("content")
    row = measure(picture, styles, content)
    if poster:
        row |= cuts(poster.store.read("labels", Box(0, 0, *picture.shape[:2]))[0])
    if subject.tile is not None:
        row["seam_ratio"] = seam_ratio(picture, subject.tile, offset_px=subject.offset)
    return row
