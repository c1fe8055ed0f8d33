"""Geometry of exact tiling: spans that convolutions read, halos, canvases and the boxes of tiles. No torch.

A poster is defined as one forward pass over a *canvas*: the poster with padding around it, in which content and
templates are mirrored outwards. A large canvas is computed in tiles. Their *cores* partition the canvas: each pixel
belongs to one core. A tile is computed from its *read box*, which is its core and a *halo*: all pixels around the core
that the core's output depends on. All read boxes have one size. Near an edge of the canvas the read box is moved
inwards, so that the zero padding of convolutions acts only where it acts in the one forward pass::

    canvas +----------------------------+
           |   read +-----------+       |     the halo before a core lies above and to the left of it,
           |        |  +-----+  |       |     the halo behind a core lies below and to the right of it;
           |        |  |core |  |       |     all starts and sizes are multiples of 2^depth
           |        |  +-----+  |       |
           |        +-----------+       |
           +----------------------------+
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from magic.checks import require

MAX_SIDE_PX = 2**31 - 1
"""Of a canvas."""


class Span(NamedTuple):
    """A run of pixels along one axis, from first to last, both included."""

    first: int
    last: int

    def union(self, other: "Span") -> "Span":
        """The shortest span that covers both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


class Halo(NamedTuple):
    """How far around a block of output the input matters, in pixels; the same along both axes.

    It holds for blocks that start and end at multiples of 2^depth, as the cores of tiles do.
    """

    before: int
    """Pixels above the block's first row and to the left of its first column."""
    behind: int
    """Pixels below the block's last row and to the right of its last column."""

    def aligned(self, multiple: int) -> "Halo":
        """The halo, rounded up to multiples of `multiple`."""
        return Halo(round_up(self.before, multiple), round_up(self.behind, multiple))

    def plus(self, other: "Halo") -> "Halo":
        """The halo of two networks, one after the other; both halos must be aligned."""
        return Halo(self.before + other.before, self.behind + other.behind)


def halo_of(reads: Callable[[Span], Span], multiple: int) -> Halo:
    """The halo of a network.

    Args:
        reads: the span of input on which a span of the network's output depends.
        multiple: 2^depth of the network.
    """
    first, last = reads(Span(0, multiple - 1))
    return Halo(-first, last - (multiple - 1))


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `value`."""
    return ceil(value / multiple) * multiple


class Box(NamedTuple):
    """A rectangle of pixels: rows top to bottom - 1, columns left to right - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def within(self, outer: "Box") -> "Box":
        """The same pixels, counted from the top left corner of `outer`."""
        return self.shifted(-outer.top, -outer.left)

    def shifted(self, down: int, right: int) -> "Box":
        """The box moved by that many pixels."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def shrunk(self, factor: int) -> "Box":
        """The box at a resolution that is `factor` times lower; its edges must be multiples of `factor`."""
        assert not any(edge % factor for edge in self), f"{self} is not aligned to {factor}"
        return Box(*(edge // factor for edge in self))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns as slices, to index the last two axes of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Tile(NamedTuple):
    """One tile of a canvas; its boxes are in the canvas' pixels."""

    read: Box
    """The pixels that the tile is computed from."""
    core: Box
    """The pixels that this tile, and no other, yields; lies inside `read`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """A poster and the padding around it: the picture that one forward pass would run on. All in pixels."""

    poster_height: int
    poster_width: int
    padding_before: int
    """Padding above the poster and to the left of it; what remains is below and to the right."""
    height: int
    """Of the whole canvas, a multiple of 2^depth."""
    width: int
    """Of the whole canvas, a multiple of 2^depth."""

    def __post_init__(self) -> None:
        size, start = (self.poster_height, self.poster_width), self.padding_before
        require(min(size) >= 1, "a poster of at least 1x1 pixel", size, "give a larger size")
        largest = max(self.height, self.width)
        require(largest <= MAX_SIDE_PX, f"a canvas of at most {MAX_SIDE_PX} px", largest, "give a smaller size")
        require(start >= 0, "a padding of at least 0 px", start, "mend it")
        room = (self.height - start, self.width - start)
        fits = room[0] >= size[0] and room[1] >= size[1]
        require(fits, f"a canvas with room for {size[0]} x {size[1]} px behind its padding", room, "mend it")

    @staticmethod
    def around(poster_height: int, poster_width: int, *, halo: Halo, multiple: int) -> "Canvas":
        """The canvas with so much padding that no pixel of the poster depends on the canvas' borders.

        Args:
            poster_height: height of the poster in pixels.
            poster_width: width of the poster in pixels.
            halo: of all networks, one after the other, in pixels; multiples of `multiple`.
            multiple: 2^depth.

        Raises:
            ValueError: if the poster has no pixel.
        """
        return Canvas(
            poster_height=poster_height,
            poster_width=poster_width,
            padding_before=halo.before,
            height=halo.before + round_up(poster_height, multiple) + halo.behind,
            width=halo.before + round_up(poster_width, multiple) + halo.behind,
        )

    @property
    def box(self) -> Box:
        """The whole canvas as a box."""
        return Box(0, 0, self.height, self.width)

    @property
    def poster(self) -> Box:
        """The poster's pixels on the canvas."""
        start = self.padding_before
        return Box(start, start, start + self.poster_height, start + self.poster_width)


@dataclass(frozen=True, kw_only=True, slots=True)
class TileGrid:
    """The tiles of a canvas in reading order, as a sequence of `Tile`.

    Cores partition the canvas; all are core_px wide and high, but for those of the last row and column. All read boxes
    have one size; at the canvas' edges they are moved inwards.

    >>> grid = TileGrid(height=64, width=96, core_px=32, halo=Halo(16, 8), multiple=8)
    >>> len(grid)  # 2 rows of 3 tiles
    6
    >>> grid[4].core
    Box(top=32, left=32, bottom=64, right=64)
    >>> grid[4].read  # 16 px before the core and 8 px behind it, but 8 px higher: the canvas ends at row 64
    Box(top=8, left=16, bottom=64, right=72)
    >>> {(tile.read.height, tile.read.width) for tile in grid}
    {(56, 56)}

    Raises:
        ValueError: if core_px is not a positive multiple of `multiple`.
    """

    height: int
    """Height of the canvas in pixels, a multiple of `multiple`."""
    width: int
    """Width of the canvas in pixels, a multiple of `multiple`."""
    core_px: int
    """Side of a core in pixels, a multiple of `multiple`; the last row and column may be smaller."""
    halo: Halo = Halo(0, 0)  # noqa: RUF009 - it cannot be changed
    """The pixels around a core that its output depends on, multiples of `multiple`."""
    multiple: int = 1
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
        """Number of rows of tiles."""
        return ceil(self.height / self.core_px)

    @property
    def columns(self) -> int:
        """Number of columns of tiles."""
        return ceil(self.width / self.core_px)

    def __len__(self) -> int:
        return self.rows * self.columns

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Tile:
        """The tile with that number, counted from 0 in reading order.

        Raises:
            IndexError: if there is no such tile.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, column = divmod(index, self.columns)
        read_top, top, bottom, read_bottom = self._along(row, self.height)
        read_left, left, right, read_right = self._along(column, self.width)
        read = Box(read_top, read_left, read_bottom, read_right)
        return Tile(read, Box(top, left, bottom, right))

    def overlapping(self, box: Box) -> list[int]:
        """Numbers of the tiles whose cores share pixels with a box of the canvas.

        >>> TileGrid(height=64, width=96, core_px=32).overlapping(Box(0, 31, 32, 33))
        [0, 1]
        """
        rows = range(box.top // self.core_px, ceil(box.bottom / self.core_px))
        columns = range(box.left // self.core_px, ceil(box.right / self.core_px))
        return [row * self.columns + column for row in rows for column in columns]

    def _along(self, number: int, length: int) -> tuple[int, int, int, int]:
        """Of tile `number` along an axis of `length` pixels: read start, core start, core end, read end."""
        first = number * self.core_px
        last = min(first + self.core_px, length)
        size = min(self.halo.before + self.core_px + self.halo.behind, length)
        start = min(max(first - self.halo.before, 0), length - size)
        return start, first, last, start + size
