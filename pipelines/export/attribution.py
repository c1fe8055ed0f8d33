"""Whose pictures a poster is made of: how much of its area each template and each style picture supplied.

Every pixel of a collage is a mean of all templates; it counts for the template with the largest weight in it, as on
the label map. What the refiner repaints stays with that template.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64
from numpy import ndarray
from scipy.ndimage import find_objects  # type: ignore[import-untyped]

from magic.checks import require
from magic.geometry import Box
from magic.scene.memory import Template
from pipelines.store.finished_poster import FinishedPoster
from pipelines.store.storage import exists, join, read_object, write_object
from pipelines.workers.pool import Hands

TEMPLATES, PICTURES, TABLE = "attribution.parquet", "attribution-pictures.parquet", "attribution.md"
_SUPPLIED = {"pixels": "int64", "share": "float64"}
_CROP = {"crop_top": "int64", "crop_left": "int64", "turns": "int32", "flip": "bool"}
_SHOWN = dict.fromkeys(("shown_top", "shown_left", "shown_bottom", "shown_right"), "int64")
_PICTURE = {"picture": "int32", "url": "string", "sha256": "string"}
TEMPLATE_COLUMNS = {"template": "int32"} | _PICTURE | _SUPPLIED | _CROP | _SHOWN
PICTURE_COLUMNS = _PICTURE | {"templates": "int32"} | _SUPPLIED
"""Columns of the Parquet files, and their types."""
SHOWN_DIGITS = 12  # of a digest, in the table for people


@dataclass(frozen=True, slots=True)
class TemplateShare:
    """What one template supplied."""

    number: int
    """As on the label map."""
    template: Template
    pixels: int
    """Poster pixels in which its weight is the largest."""
    share: float
    """Of the poster's area, 0 to 1."""
    shown: Box | None
    """The smallest box of the poster that holds these pixels; None where there are none."""


@dataclass(frozen=True, slots=True)
class PictureShare:
    """What one style picture supplied, through all templates that were cut from it."""

    number: int
    """In the order of the manifest's style pictures."""
    url: str
    sha256: str
    """Of the file."""
    templates: int
    """How many were cut from it."""
    pixels: int
    share: float
    """Of the poster's area, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """A poster's area, by template and by style picture, each in the order of their numbers."""

    templates: tuple[TemplateShare, ...]
    pictures: tuple[PictureShare, ...]
    warped: bool = False
    """Whether the model moves its pieces before it blends them, so that crops tell about where they are from."""

    @property
    def largest_first(self) -> list[PictureShare]:
        """The pictures by what they supplied."""
        return sorted(self.pictures, key=_largest_first)


def attribute(poster: FinishedPoster, *, num_workers: int) -> Attribution:
    """Count who supplied what, block by block on many workers.

    Args:
        poster: with its label map.
        num_workers: processes, one CPU each.

    Raises:
        ValueError: if the poster was painted without its label map.
        RuntimeError: if blocks keep failing.
    """
    require("labels" in poster.layers, "a poster with labels", list(poster.layers), "paint it with its label map")
    pixels, shown = np.zeros(len(poster.templates), np.int64), dict[int, Box]()
    blocks = range(len(poster.store.blocks(0)))
    with closing(Hands(poster, num_workers)) as hands:
        for _, (counts, boxes) in hands.each(count_block, blocks, "attribution"):
            pixels += counts
            for number, box in boxes.items():
                shown[number] = _around(shown.get(number, box), box)
    assert pixels.sum() == np.prod(poster.store.size())
    return _attribution(poster, pixels, shown)


def count_block(poster: FinishedPoster, number: int) -> tuple[Int64[ndarray, " K"], dict[int, Box]]:
    """Each template's pixels in one block of the label map, and the box of the poster around them."""
    block = poster.store.blocks(0)[number].core
    labels = poster.store.read("labels", block)[0]
    counts = np.bincount(labels.ravel(), minlength=len(poster.templates))
    found = find_objects(labels.astype(np.int32) + 1)  # to it 0 means nothing
    boxes = {
        label: Box(rows.start, columns.start, rows.stop, columns.stop).shifted(block.top, block.left)
        for label, (rows, columns) in ((label, place) for label, place in enumerate(found) if place is not None)
    }
    return counts, boxes


def write(attribution: Attribution, url: str) -> tuple[str, ...]:
    """Write the attribution into a folder, for programs and for people; the same one always gives the same bytes.

    Returns:
        The files' names: the templates' table, the pictures' table (both Parquet), and a page in Markdown.
    """
    write_object(join(url, TEMPLATES), _parquet(TEMPLATE_COLUMNS, _templates_rows(attribution)))
    write_object(join(url, PICTURES), _parquet(PICTURE_COLUMNS, _pictures_rows(attribution)))
    write_object(join(url, TABLE), _page(attribution).encode())
    return TEMPLATES, PICTURES, TABLE


def written(url: str) -> list[PictureShare] | None:
    """What a folder's attribution says of the style pictures, the largest first; None where it is not all there."""
    data = read_object(join(url, PICTURES))
    if data is None or not exists(join(url, TABLE)):  # the page is written last
        return None
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    return sorted((PictureShare(row.pop("picture"), **row) for row in rows), key=_largest_first)


def above(pictures: Iterable[PictureShare], max_share: float) -> list[PictureShare]:
    """Those of the style pictures that supplied more than that share of the poster's area (0 to 1)."""
    return [picture for picture in pictures if picture.share > max_share]


def _largest_first(picture: PictureShare) -> tuple[int, int]:
    return -picture.pixels, picture.number


def _attribution(poster: FinishedPoster, pixels: Int64[ndarray, " K"], shown: dict[int, Box]) -> Attribution:
    area, templates = int(pixels.sum()), poster.templates
    pictures = []
    for number, info in enumerate(poster.pictures):
        own = [k for k, template in enumerate(templates) if template.picture == number]
        supplied = int(pixels[own].sum())
        pictures.append(PictureShare(number, info["url"], info["sha256"], len(own), supplied, supplied / area))
    shares = tuple(
        TemplateShare(k, template, int(pixels[k]), int(pixels[k]) / area, shown.get(k))
        for k, template in enumerate(templates)
    )
    return Attribution(shares, tuple(pictures), poster.manifest["warp"] != "none")


def _around(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    top, left = min(one.top, other.top), min(one.left, other.left)
    return Box(top, left, max(one.bottom, other.bottom), max(one.right, other.right))


def _templates_rows(attribution: Attribution) -> Iterator[list[Any]]:
    for share in attribution.templates:
        picture, crop = attribution.pictures[share.template.picture], share.template
        supplied = [share.number, picture.number, picture.url, picture.sha256, share.pixels, share.share]
        yield [*supplied, crop.top, crop.left, crop.turns, crop.flip, *(share.shown or [None] * 4)]


def _pictures_rows(attribution: Attribution) -> Iterator[list[Any]]:
    for p in attribution.pictures:
        yield [p.number, p.url, p.sha256, p.templates, p.pixels, p.share]


def _parquet(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> bytes:
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _page(attribution: Attribution) -> str:
    pictures = [
        [f"{p.share:.2%}", str(p.pixels), str(p.templates), p.url, p.sha256[:SHOWN_DIGITS]]
        for p in attribution.largest_first
    ]
    lines = ["# Where this poster comes from", ""]
    lines += ["Each pixel counts for the template whose weight is the largest there.", "", "## Style pictures", ""]
    lines += _table(["share of area", "pixels", "templates", "picture", "SHA-256"], pictures)
    lines += ["", "## Templates", ""]
    lines += ["A crop: the row and column of the mirrored picture that lies at the poster's upper left corner, after"]
    lines += ["quarter turns to the left and a flip. Shown: rows and columns of the poster around all its pixels."]
    if attribution.warped:
        lines += ["This model moves its pieces before it blends them: they are from about there."]
    lines += [""]
    heads = ["template", "share of area", "pixels", "picture", "row", "column", "turns", "flip", "shown"]
    lines += _table(heads, [_template_row(attribution, share) for share in attribution.templates])
    return "\n".join(lines) + "\n"


def _template_row(attribution: Attribution, share: TemplateShare) -> list[str]:
    name = attribution.pictures[share.template.picture].url.rsplit("/", 1)[-1]
    crop, box = share.template, share.shown
    shown = "nowhere" if box is None else f"{box.top} to {box.bottom - 1}, {box.left} to {box.right - 1}"
    place = [str(crop.top), str(crop.left), str(crop.turns), "yes" if crop.flip else "no"]
    return [str(share.number), f"{share.share:.2%}", str(share.pixels), name, *place, shown]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown; a bar within a name would end its cell."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *cells]]
