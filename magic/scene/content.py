"""A content picture, shown at the poster's size. Only the part that is asked for is resized."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

from magic.geometry import Box
from magic.scene.memory import mirrored, window

LOBES = 3
"""Lobes of the Lanczos kernel on each side."""
MAX_SOURCE_ROWS = 512
"""Rows of the source that are converted to float64 at once."""
MAX_LINES = 64
"""Rows or columns of the result that one matrix product computes, from all rows or columns of the source they need."""
HALF_UP = 0.5 + 1e-7
"""Added before rounding down. The excess over 0.5 is more than the noise of float64, so that a value half-way between
two levels is rounded up in every window."""


@dataclass(frozen=True)
class Content:
    """A picture that is shown at a size of its own: a function of global coordinates.

    Each pixel is a Lanczos mean of the source around its place, and it is the same in every window. Beyond its edges
    the shown picture is mirrored.
    """

    source: UInt8[ndarray, "h w 3"]
    """The picture at its own size."""
    height: int
    """As shown, in pixels."""
    width: int
    """As shown, in pixels."""

    @staticmethod
    def of(source: UInt8[ndarray, "h w 3"]) -> "Content":
        """A picture shown at its own size."""
        return Content(source, *source.shape[:2])

    def window(self, box: Box) -> UInt8[ndarray, "y x 3"]:
        """The shown picture in a box, which may lie anywhere on the plane."""
        if (self.height, self.width) == self.source.shape[:2]:
            return window(self.source, box)
        rows = mirrored(box.top, box.bottom, self.height)
        columns = mirrored(box.left, box.right, self.width)
        top, left = int(rows.min()), int(columns.min())
        part = self._resized(Box(top, left, int(rows.max()) + 1, int(columns.max()) + 1))
        return part[(rows - top)[:, None], columns - left]  # type: ignore[no-any-return]

    def small(self, max_px: int) -> UInt8[ndarray, "y x 3"]:
        """The whole shown picture; if a side is longer than max_px, shrunk until it is not."""
        factor = min(1.0, max_px / max(self.height, self.width))
        shape = (max(round(self.height * factor), 1), max(round(self.width * factor), 1))
        return Content(self.source, *shape).window(Box(0, 0, *shape))

    def _resized(self, box: Box) -> UInt8[ndarray, "y x 3"]:
        """The shown picture in a box that lies inside it: resized across, then down."""
        source_rows = _taps(box.top, box.bottom, self.height, self.source.shape[0])[1]
        across = self._resized_across(box, source_rows)
        shown = np.empty((box.height, box.width, 3), np.uint8)
        for top in range(box.top, box.bottom, MAX_LINES):
            bottom = min(top + MAX_LINES, box.bottom)
            weights, rows = _taps(top, bottom, self.height, self.source.shape[0])
            part = across[:, rows.start - source_rows.start : rows.stop - source_rows.start]
            levels = np.floor(np.tensordot(weights, part, (1, 1)) + HALF_UP)
            shown[top - box.top : bottom - box.top] = levels.clip(0, 255)
        return shown

    def _resized_across(self, box: Box, rows: range) -> Float64[ndarray, "x h 3"]:
        """Rows of the source at the shown width, in the columns of a box; columns come first."""
        across = np.empty((box.width, len(rows), 3))
        for left in range(box.left, box.right, MAX_LINES):
            right = min(left + MAX_LINES, box.right)
            weights, columns = _taps(left, right, self.width, self.source.shape[1])
            for first in range(rows.start, rows.stop, MAX_SOURCE_ROWS):
                last = min(first + MAX_SOURCE_ROWS, rows.stop)
                part = self.source[first:last, columns.start : columns.stop].astype(np.float64)
                resized = np.tensordot(weights, part, (1, 1))
                across[left - box.left : right - box.left, first - rows.start : last - rows.start] = resized
        return across


def _taps(first: int, last: int, length: int, source_length: int) -> tuple[Float64[ndarray, "n m"], range]:
    """How the pixels first to last - 1 of an axis are means of the source's pixels.

    Args:
        first: first pixel of the shown axis.
        last: end of the pixels of the shown axis.
        length: of the shown axis.
        source_length: of the source's axis.

    Returns:
        The weights: n shown pixels, m pixels of the source; and the numbers of these m pixels.
    """
    scale = source_length / length
    reach = max(scale, 1.0)
    centres = (np.arange(first, last) + 0.5) * scale - 0.5
    start = max(int(np.floor(centres[0] - LOBES * reach)), 0)
    places = np.arange(start, min(int(np.ceil(centres[-1] + LOBES * reach)) + 1, source_length))
    weights = _lanczos((places - centres[:, None]) / reach)
    return weights / weights.sum(1, keepdims=True), range(int(places[0]), int(places[-1]) + 1)


def _lanczos(x: Float64[ndarray, "n m"]) -> Float64[ndarray, "n m"]:
    """The Lanczos kernel, not normalised."""
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)
