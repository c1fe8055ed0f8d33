"""`magic score`: measure pictures, ours or anybody's."""

from dataclasses import dataclass, replace

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
from pipelines.objects import absolute, join, read_json, write_json
from pipelines.reading import read_source

PLAIN = SourceConfig()
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture to be measured, and what against."""

    url: str
    style: SourceConfig
    content: str | None
    tile: int | None


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
    """The pictures at a URL; a poster's folder is one, and knows its styles and content."""
    manifest = read_json(join(absolute(url), MANIFEST))
    if manifest is None:
        return [Subject(found, config.style, config.content, config.tile) for found in list_pictures([url])]
    own = manifest["style"]
    style = SourceConfig(urls=tuple(own["urls"]), scale=own["scale"], square_px=own["square_px"])
    content = config.content or manifest["content"]["url"]
    return [
        Subject(join(absolute(url), "poster.png"), config.style if config.style.urls else style, content, config.tile)
    ]


def measures(subject: Subject) -> dict[str, float]:
    """What is known of one picture."""
    require(bool(subject.style.urls), "style pictures to compare with", "none", "give --style.urls")
    picture = read(subject.url)
    styles = read_source(subject.style, min_side_px=1, name="style").pictures
    content = None
    if subject.content is not None:
        height, width, _ = picture.shape
        content = np.array(Image.fromarray(read(subject.content)).resize((width, height), Image.Resampling.LANCZOS))
    row = measure(picture, styles, content)
    if subject.tile is not None:
        row["seam_ratio"] = seam_ratio(picture, subject.tile)
    return row


def read(url: str) -> UInt8[ndarray, "H W 3"]:
    """One picture at its own size."""
    (found,) = read_source(replace(PLAIN, urls=(url,)), min_side_px=1, name="scored").pictures
    return found
