"""The memory set: templates that are cut from style pictures, each a picture continued over the whole plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from magic.checks import require
from magic.geometry import Box


def mirrored(first: int, last: int, length: int) -> Int[ndarray, " n"]:
    """Which pixel of a picture lies at each place of an axis, if the picture is mirrored at its edges without end.

    The edge pixels are not repeated: ... 2 1 [0 1 2 3] 2 1 0 1 ...

    Args:
        first: first place that is asked for; it may be negative.
        last: the place after the last one that is asked for.
        length: pixels of the picture along the axis.
    """
    period = max(2 * length - 2, 1)
    places = np.arange(first, last) % period
    return np.minimum(places, period - places) if length > 1 else np.zeros_like(places)


def window(picture: UInt8[ndarray, "H W 3"], box: Box) -> UInt8[ndarray, "h w 3"]:
    """The part of a picture in a box, which may lie anywhere on the plane: beyond its edges the picture is mirrored."""
    rows = mirrored(box.top, box.bottom, picture.shape[0])
    columns = mirrored(box.left, box.right, picture.shape[1])
    return picture[rows[:, None], columns]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Template:
    """One element of a memory set: a style picture that is turned, perhaps flipped, and moved.

    Records of a poster hold its templates as JSON objects with these fields, in this order.
    """

    picture: int
    """Number of the style picture."""
    top: int
    """Row of the picture, after turning and mirroring, that lies at the poster's row 0."""
    left: int
    """Column of the picture, after turning and mirroring, that lies at the poster's column 0."""
    flip: bool = False
    """Whether the picture is flipped left to right, after turning."""
    turns: int = 0
    """Quarter turns to the left, 0 to 3."""


@runtime_checkable
class Pictures(Protocol):
    """Numbered pictures, wherever they are stored."""

    def get(self, number: int) -> UInt8[ndarray, "_ _ 3"]:
        """The pixels of a picture."""

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture, in pixels."""

    @property
    def shares(self) -> Sequence[float]:
        """How often each picture is used, relative to the others."""


@dataclass(frozen=True, slots=True)
class PictureList:
    """Pictures in memory."""

    pictures: Sequence[UInt8[ndarray, "_ _ 3"]]
    given_shares: Sequence[float] | None = None
    """How often each picture is used, relative to the others; None: all are used equally often."""

    def get(self, number: int) -> UInt8[ndarray, "_ _ 3"]:
        """The pixels of a picture."""
        return self.pictures[number]

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture, in pixels."""
        return [picture.shape[:2] for picture in self.pictures]

    @property
    def shares(self) -> Sequence[float]:
        """How often each picture is used, relative to the others."""
        return self.given_shares or [1.0] * len(self.pictures)


def allot(shares: Sequence[float], count: int, rng: np.random.Generator) -> list[int]:
    """Choose pictures: `count` numbers in random order, in which each picture comes as often as its share demands.

    By systematic sampling each picture's count differs from its exact part by less than one. With equal shares, no
    picture is chosen a second time before every picture was chosen once.

    Args:
        shares: how often each picture is to be used, relative to the others; positive.
        count: how many to choose.
        rng: decides about the rounding and the order.
    """
    order = rng.permutation(len(shares))
    ends = np.cumsum(np.asarray(shares, float)[order])
    places = (rng.random() + np.arange(count)) * (ends[-1] / count)
    chosen = order[np.minimum(np.searchsorted(ends, places, side="right"), len(order) - 1)]
    return [int(number) for number in rng.permutation(chosen)]


def draw_templates(
    pictures: Pictures, num_templates: int, seed: int, *, mirror: bool = True, rotate: bool = False
) -> tuple[Template, ...]:
    """Templates at random places of the pictures, each picture used as often as its share demands.

    Args:
        pictures: the style pictures.
        num_templates: K.
        seed: the same seed gives the same templates.
        mirror: flip each template left to right with probability 1/2.
        rotate: turn each template by a random number of quarter turns.

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
        place = (left, top) if turns % 2 else (top, left)  # a quarter turn swaps height and width
        templates.append(Template(picture, *place, mirror and bool(flip), turns))
    return tuple(templates)


def oriented(picture: UInt8[ndarray, "H W 3"], *, flip: bool, turns: int) -> UInt8[ndarray, "h w 3"]:
    """A view of a picture after quarter turns to the left and then, with flip, mirroring left to right."""
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if flip else turned


@dataclass(frozen=True, slots=True)
class MemorySet:
    """K templates, each a picture that is mirrored over the whole plane. Only the pictures are stored: whoever needs a
    part of the templates crops it.

    >>> picture = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)  # three pixels, whose red is 0, 3 and 6
    >>> memory = MemorySet({0: picture}, (Template(0, top=0, left=0), Template(0, top=0, left=1)))
    >>> pixels = memory.window(Box(0, 0, 2, 6))
    >>> pixels.shape
    (2, 2, 6, 3)
    >>> pixels[:, 0, :, 0].tolist()  # red in the first row: the second template begins one pixel further right
    [[0, 3, 6, 3, 0, 3], [3, 6, 3, 0, 3, 6]]
    """

    pictures: Mapping[int, UInt8[ndarray, "_ _ 3"]]
    """The style pictures that the templates are cut from, by number."""
    templates: tuple[Template, ...]

    @staticmethod
    def of(pictures: Pictures, templates: tuple[Template, ...]) -> "MemorySet":
        """The memory set of templates that were drawn from pictures. It gets those pictures that the templates use."""
        used = sorted({template.picture for template in templates})
        return MemorySet({number: pictures.get(number) for number in used}, templates)

    def window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates' pixels in a box of the plane; the poster's top left pixel is at row 0 and column 0."""
        return np.stack([self.crop(number, box) for number in range(len(self.templates))])

    def crop(self, number: int, box: Box) -> UInt8[ndarray, "h w 3"]:
        """The pixels of template `number` in a box of the plane."""
        template = self.templates[number]
        picture = oriented(self.pictures[template.picture], flip=template.flip, turns=template.turns)
        return window(picture, box.shifted(template.top, template.left))
