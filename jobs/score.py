"""`magic score`: measure pictures, ours or anybody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from tqdm import tqdm

from jobs.config import ScoreConfig
from magic.config import require
from magic.metrics import score as measure
from magic.metrics import seam_ratio
from magic.sheets import as_table
from pipelines.config import SourceConfig
from pipelines.images import list_pictures
from pipelines.objects import MANIFEST, absolute, join, read_json, write_json
from pipelines.reading import read_single, read_source
from pipelines.tone import common_tone, match_tone, tone_of


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture to be measured, and what against."""

    url: str
    style: SourceConfig
    content: str | None
    in_tone: bool = False
    """Whether the content was brought into the style's tone before it was painted."""
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
    manifest = read_json(join(absolute(url), MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("kind") != "poster":
        return [Subject(found, config.style, config.content, tile=config.tile) for found in list_pictures([url])]
    own = manifest["style"]
    pictures = tuple(picture["url"] for picture in own["pictures"])  # those that were of use
    style = SourceConfig(urls=pictures, scale=own["scale"], square_px=own["square_px"])
    tile = config.tile or manifest["tile"]
    return [
        Subject(
            join(absolute(url), "poster.png"),
            config.style if config.style.urls else style,
            config.content or manifest["content"]["url"],
            in_tone=config.content is None and manifest["content"]["tone"] == "match",
            tile=tile if max(manifest["size"]) > tile else None,
            offset=-manifest["bleed"] % tile,  # tiles are counted from the canvas' corner
        )
    ]


@lru_cache(1)
def styles_of(source: SourceConfig) -> Sequence[UInt8[ndarray, "_ _ 3"]]:
    """The pictures of a source, once for all that are measured against it."""
    return read_source(source, min_side_px=1, name="style").pictures


def measures(subject: Subject) -> dict[str, float]:
    """What is known of one picture."""
    require(bool(subject.style.urls), "style pictures to compare with", "none", "give --style.urls")
    picture = read_single(subject.url, "scored").pixels
    styles = styles_of(subject.style)
    content = None
    if subject.content is not None:
        height, width, _ = picture.shape
        read = Image.fromarray(read_single(subject.content, "content").pixels)
        content = np.array(read.resize((width, height), Image.Resampling.LANCZOS))
        content = match_tone(content, tone_of(content), common_tone(styles)) if subject.in_tone else content
    row = measure(picture, styles, content)
    if subject.tile is not None:
        row["seam_ratio"] = seam_ratio(picture, subject.tile, offset_px=subject.offset)
    return row
