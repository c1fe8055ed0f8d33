"""Geometry of exact tiling: spans that convolutions read, halos, canvases and tile boxes. No torch.

A poster is one forward pass over a *canvas*: the content, mirrored outwards by a bleed. Tiles partition the
canvas by their cores; each is computed from a larger read box of one constant size, moved inwards at the
canvas' edges so that a network's zero padding acts only where the whole pass has it too::

    canvas +----------------------------+
           |   read +-----------+       |     left, top halo:     what lies before a core
           |        |  +-----+  |       |     right, bottom halo: what lies behind it
           |        |  |core |  |       |     all starts and sizes: multiples of 2^depth
           |        |  +-----+  |       |
           |        +-----------+       |
           +----------------------------+
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from magic.checks import require


class Span(NamedTuple):
    """First and last pixel of a run along one axis, both included."""

    first: int
    last: int

    def union(self, other: "Span") -> "Span":
        """The shortest span that covers both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


class Halo(NamedTuple):
    """Pixels that an aligned block of output can depend on: so many before its first, so many behind its last.

    Aligned: starting and ending at multiples of 2^depth, as the cores of tiles do. The same on both axes.
    """

    before: int
    behind: int

    def aligned(self, multiple: int) -> "Halo":
        """The halo rounded up to whole multiples."""
        return Halo(round_up(self.before, multiple), round_up(self.behind, multiple))

    def plus(self, other: "Halo") -> "Halo":
        """The halo of two networks in series, both aligned."""
        return Halo(self.before + other.before, self.behind + other.behind)


def halo_of(reads: Callable[[Span], Span], multiple: int) -> Halo:
    """The halo of a network from the input span that a span of output reads."""
    first, last = reads(Span(0, multiple - 1))
    return Halo(-first, last - (multiple - 1))


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is at least value."""
    return ceil(value / multiple) * multiple


class Box(NamedTuple):
    """A window of pixels: [top, bottom) x [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def within(self, outer: "Box") -> "Box":
        """This box in coordinates that start at outer's corner."""
        return self.shifted(-outer.top, -outer.left)

    def shifted(self, down: int, right: int) -> "Box":
        """This box moved by so many pixels."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def shrunk(self, factor: int) -> "Box":
        """This box on a grid that is factor times coarser; its edges must lie on that grid."""
        assert not any(edge % factor for edge in self), f"{self} is not aligned to {factor}"
        return Box(*(edge // factor for edge in self))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index the last two axes of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Tile(NamedTuple):
    """One tile: what it reads and, inside that, what it is the only one to write."""

    row: int
    column: int
    read: Box
    core: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """The poster and the bleed around it: what one forward pass would run on."""

    poster_height: int
    poster_width: int
    bleed_before: int
    height: int
    width: int

    @staticmethod
    def around(poster_height: int, poster_width: int, *, halo: Halo, multiple: int) -> "Canvas":
        """The canvas whose borders no poster pixel can see.

        Args:
            poster_height: height of the poster in pixels.
            poster_width: width of the poster in pixels.
            halo: of all networks in series, in multiples.
            multiple: 2^depth.

        Raises:
            ValueError: if the poster has no pixel.
        """
        require(
            poster_height >= 1 and poster_width >= 1,
            "a poster of at least 1x1 pixel",
            (poster_height, poster_width),
            "give a larger size",
        )
        return Canvas(
            poster_height=poster_height,
            poster_width=poster_width,
            bleed_before=halo.before,
            height=halo.before + round_up(poster_height, multiple) + halo.behind,
            width=halo.before + round_up(poster_width, multiple) + halo.behind,
        )

    @property
    def box(self) -> Box:
        """The whole canvas."""
        return Box(0, 0, self.height, self.width)

    @property
    def poster(self) -> Box:
        """Where the poster lies on the canvas."""
        start = self.bleed_before
        return Box(start, start, start + self.poster_height, start + self.poster_width)


@dataclass(frozen=True, kw_only=True, slots=True)
class TileGrid:
    """Cores of one size that partition a canvas, each with a read box of one constant size around it."""

    height: int
    """Height of the canvas in pixels, a multiple of `multiple`."""
    width: int
    """Width of the canvas in pixels, a multiple of `multiple`."""
    core_px: int
    """Side of a core in pixels, a multiple of `multiple`; the last row and column may be smaller."""
    halo: Halo
    """What a core needs around it in pixels, multiples of `multiple`."""
    multiple: int
    """2^depth: every box starts and ends at multiples of it."""

    def __post_init__(self) -> None:
        require(
            self.core_px >= 1 and self.core_px % self.multiple == 0,
            f"a tile size that is a positive multiple of {self.multiple}",
            self.core_px,
            f"{round_up(max(self.core_px, 1), self.multiple)} would do",
        )
        assert not any(n % self.multiple for n in (self.height, self.width, *self.halo)), self

    @property
    def rows(self) -> int:
        return ceil(self.height / self.core_px)

    @property
    def columns(self) -> int:
        return ceil(self.width / self.core_px)

    def __len__(self) -> int:
        return self.rows * self.columns

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Tile:
        """Tile number index in reading order."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, column = divmod(index, self.columns)
        read_top, top, bottom, read_bottom = self._along(row, self.height)
        read_left, left, right, read_right = self._along(column, self.width)
        read = Box(read_top, read_left, read_bottom, read_right)
        return Tile(row, column, read, Box(top, left, bottom, right))

    def _along(self, number: int, length: int) -> tuple[int, int, int, int]:
        """Read start, core start, core end and read end of core `number` on an axis of that length."""
        first = number * self.core_px
        last = min(first + self.core_px, length)
        size = min(self.halo.before + self.core_px + self.halo.behind, length)
        start = min(max(first - self.halo.before, 0), length - size)
        return start, first, last, start + size
