"""Pictures over an unbounded plane, and the memory set of templates that are cut from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from magic.checks import require
from magic.geometry import Box


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
    """One element of a memory set: a style picture, turned, perhaps flipped, and moved."""

    picture: int
    """Which of the style pictures."""
    top: int
    """Row of the (mirrored) picture that lies at the poster's row 0."""
    left: int
    """Column of the (mirrored) picture that lies at the poster's column 0."""
    flip: bool = False
    """Whether the picture is flipped left to right, after turning."""
    turns: int = 0
    """Quarter turns to the left."""


@runtime_checkable
class Pictures(Protocol):
    """Numbered pictures, wherever they are."""

    def get(self, number: int) -> UInt8[ndarray, "_ _ 3"]:
        """The pixels of a picture."""

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture."""

    @property
    def shares(self) -> Sequence[float]:
        """How often each picture is used, relative to the others."""


@dataclass(frozen=True, slots=True)
class PictureList:
    """Pictures in memory, all used alike unless shares say otherwise."""

    pictures: Sequence[UInt8[ndarray, "_ _ 3"]]
    given_shares: Sequence[float] | None = None

    def get(self, number: int) -> UInt8[ndarray, "_ _ 3"]:
        """The pixels of a picture."""
        return self.pictures[number]

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture."""
        return [picture.shape[:2] for picture in self.pictures]

    @property
    def shares(self) -> Sequence[float]:
        """How often each picture is used, relative to the others."""
        return self.given_shares or [1.0] * len(self.pictures)


def allot(shares: Sequence[float], count: int, rng: np.random.Generator) -> list[int]:
    """Numbers of `count` pictures, in random order, each picture as often as its share says, but for rounding.

    Systematic sampling: with equal shares no picture comes twice before all came once.
    """
    order = rng.permutation(len(shares))
    ends = np.cumsum(np.asarray(shares, float)[order])
    places = (rng.random() + np.arange(count)) * (ends[-1] / count)
    chosen = order[np.minimum(np.searchsorted(ends, places, side="right"), len(order) - 1)]
    return [int(number) for number in rng.permutation(chosen)]


def draw_templates(
    pictures: Pictures, num_templates: int, seed: int, *, mirror: bool = True, rotate: bool = False
) -> tuple[Template, ...]:
    """Templates at random places of the pictures.

    Args:
        pictures: what they are cut from.
        num_templates: K.
        seed: same seed, same templates.
        mirror: flip every other one left to right.
        rotate: turn each by a random number of quarter turns.

    Raises:
        ValueError: if num_templates < 1 or there is no picture.
    """
    require(num_templates >= 1, "at least one template (K >= 1)", num_templates, "raise --templates")
    require(len(pictures.sizes) >= 1, "at least one style picture", len(pictures.sizes), "add style pictures")
    rng = np.random.default_rng(seed)
    templates = []
    for picture in allot(pictures.shares, num_templates, rng):
        height, width = pictures.sizes[picture]
        top, left, flip, turns = (int(rng.integers(n)) for n in (2 * height, 2 * width, 2, 4))
        turns = turns if rotate else 0
        place = (left, top) if turns % 2 else (top, left)  # a picture on its side is as high as it was wide
        templates.append(Template(picture, *place, mirror and bool(flip), turns))
    return tuple(templates)


def oriented(picture: UInt8[ndarray, "H W 3"], *, flip: bool, turns: int) -> UInt8[ndarray, "h w 3"]:
    """A picture after quarter turns to the left and then, with flip, mirrored left to right; a view of it."""
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if flip else turned


@dataclass(frozen=True, slots=True)
class MemorySet:
    """K templates over the whole plane: any tile crops what it needs, and nothing else is ever stored."""

    pictures: Mapping[int, UInt8[ndarray, "_ _ 3"]]
    """The style pictures that templates name, by number."""
    templates: tuple[Template, ...]

    @staticmethod
    def of(pictures: Pictures, templates: tuple[Template, ...]) -> "MemorySet":
        """The memory set of templates drawn from pictures; fetches those it needs."""
        return MemorySet({number: pictures.get(number) for number in sorted({t.picture for t in templates})}, templates)

    def window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates' pixels in the box of the poster's plane."""
        return np.stack([self.crop(number, box) for number in range(len(self.templates))])

    def crop(self, number: int, box: Box) -> UInt8[ndarray, "h w 3"]:
        """One template's pixels in the box."""
        template = self.templates[number]
        picture = oriented(self.pictures[template.picture], flip=template.flip, turns=template.turns)
        return window(picture, box.shifted(template.top, template.left))
