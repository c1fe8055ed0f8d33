"""Whose pictures a poster is made of: how much of its area each template and each style picture supplied.

Every pixel of a collage is a mean of all templates; it counts for the template with the largest weight in it, as on
the label map. What the refiner repaints stays with that template.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from scipy.ndimage import find_objects  # type: ignore[import-untyped]

from magic.geometry import Box
from magic.scene.memory import Template
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps


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
        return largest_first(self.pictures)


def attribute(poster: FinishedPoster) -> Steps[Attribution]:
    """Count who supplied what, block by block: a work of one stage.

    Args:
        poster: any but a mosaic.

    Raises:
        ValueError: if its label map is damaged.
        RuntimeError: if blocks keep failing.
    """
    pixels, shown = np.zeros(len(poster.manifest.identity.templates), np.int64), dict[int, Box]()
    blocks = range(len(poster.store.blocks(0)))

    def add(block: int, counted: tuple[Int64[ndarray, " K"], dict[int, Box]]) -> None:
        counts, boxes = counted
        pixels[:] += counts
        for number, box in boxes.items():
            shown[number] = _around(shown.get(number, box), box)

    yield from apply_to_each(Shared(poster), count_block, blocks, "attribution", add)
    assert pixels.sum() == np.prod(poster.store.size())
    return _attribution(poster, pixels, shown)


def count_block(poster: FinishedPoster, number: int) -> tuple[Int64[ndarray, " K"], dict[int, Box]]:
    """Each template's pixels in one block of the label map, and the box of the poster around them."""
    block = poster.store.blocks(0)[number].core
    labels = poster.numbers("labels", block)[0]
    counts = np.bincount(labels.ravel(), minlength=len(poster.manifest.identity.templates))
    found = find_objects(labels.astype(np.int32) + 1)  # to it 0 means nothing
    boxes = {
        label: Box(rows.start, columns.start, rows.stop, columns.stop).shifted(block.top, block.left)
        for label, (rows, columns) in ((label, place) for label, place in enumerate(found) if place is not None)
    }
    return counts, boxes


def largest_first(pictures: Iterable[PictureShare]) -> list[PictureShare]:
    """Style pictures by what they supplied, equal ones by number."""
    return sorted(pictures, key=lambda picture: (-picture.pixels, picture.number))


def above(pictures: Iterable[PictureShare], max_share: float) -> list[PictureShare]:
    """Those of the style pictures that supplied more than that share of the poster's area (0 to 1)."""
    return [picture for picture in pictures if picture.share > max_share]


def _attribution(poster: FinishedPoster, pixels: Int64[ndarray, " K"], shown: dict[int, Box]) -> Attribution:
    area, templates = int(pixels.sum()), poster.manifest.identity.templates
    pictures = []
    for number, info in enumerate(poster.manifest.pictures):
        own = [k for k, template in enumerate(templates) if template.picture == number]
        supplied = int(pixels[own].sum())
        pictures.append(PictureShare(number, info.url, info.sha256, len(own), supplied, supplied / area))
    shares = tuple(
        TemplateShare(k, template, int(pixels[k]), int(pixels[k]) / area, shown.get(k))
        for k, template in enumerate(templates)
    )
    return Attribution(shares, tuple(pictures), poster.is_warped)


def _around(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    top, left = min(one.top, other.top), min(one.left, other.left)
    return Box(top, left, max(one.bottom, other.bottom), max(one.right, other.right))
