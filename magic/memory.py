"""Pictures over an unbounded plane, and the memory set of templates that are cut from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from magic.config import require
from magic.tiles import Box


def mirrored(first: int, last: int, length: int) -> Int[ndarray, " n"]:
    """Where the places first..last-1 of an axis fall when `length` pixels are mirrored over it for ever.

    The edge pixel is not repeated: ... 2 1 [0 1 2 3] 2 1 0 1 ...
    """
    period = max(2 * length - 2, 1)
    places = np.arange(first, last) % period
    return np.minimum(places, period - places) if length > 1 else np.zeros_like(places)


def window(picture: UInt8[ndarray, "H W 3"], box: Box) -> UInt8[ndarray, "h w 3"]:
    """The part of a mirrored picture that lies in the box, which may lie anywhere."""
    rows = mirrored(box.top, box.bottom, picture.shape[0])
    columns = mirrored(box.left, box.right, picture.shape[1])
    return picture[rows[:, None], columns]  # type: ignore[no-any-return]


class Template(NamedTuple):
    """One element of a memory set: a style picture, moved and perhaps flipped."""

    picture: int
    """Which of the style pictures."""
    top: int
    """Row of the (mirrored) picture that lies at the poster's row 0."""
    left: int
    """Column of the (mirrored) picture that lies at the poster's column 0."""
    flip: bool = False
    """Whether the picture is flipped left to right."""


def draw_templates(sizes: Sequence[tuple[int, int]], num_templates: int, seed: int) -> tuple[Template, ...]:
    """Templates at random places of the pictures, taking the pictures in turn.

    Args:
        sizes: height and width of every style picture.
        num_templates: K.
        seed: same seed, same templates.

    Raises:
        ValueError: if num_templates < 1 or there is no picture.
    """
    require(num_templates >= 1, "at least one template (K >= 1)", num_templates, "raise --templates")
    require(len(sizes) >= 1, "at least one style picture", len(sizes), "add style pictures")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sizes))
    templates = []
    for k in range(num_templates):
        picture = int(order[k % len(order)])
        height, width = sizes[picture]
        top, left = int(rng.integers(2 * height)), int(rng.integers(2 * width))
        templates.append(Template(picture, top, left, bool(rng.integers(2))))
    return tuple(templates)


@dataclass(frozen=True, slots=True)
class MemorySet:
    """K templates over the whole plane: any tile crops what it needs, and nothing else is ever stored."""

    pictures: Mapping[int, UInt8[ndarray, "_ _ 3"]]
    """The style pictures that templates name, by number."""
    templates: tuple[Template, ...]

    def window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates' pixels in the box of the poster's plane."""
        return np.stack([self._crop(template, box) for template in self.templates])

    def _crop(self, template: Template, box: Box) -> UInt8[ndarray, "h w 3"]:
        picture = self.pictures[template.picture]
        place = box.shifted(template.top, template.left)
        return window(picture[:, ::-1] if template.flip else picture, place)
