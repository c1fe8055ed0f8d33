"""A content picture at the poster's size, of which no more is ever resized than somebody looks at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

from magic.geometry import Box
from magic.scene.memory import mirrored, window

LOBES = 3  # of the Lanczos kernel
ROWS_AT_ONCE = 512  # of the source, in float64
LINES_AT_ONCE = 64  # rows or columns that are made in one product, with all of the source's that any of them is made of
HALF_UP = 0.5 + 1e-7  # beyond the noise of float64: ties go the same way in every window


@dataclass(frozen=True)
class Content:
    """A picture of any size, shown at another: a function of global coordinates.

    Each pixel is a Lanczos mean of the source around its place, the same in whichever window it is asked for; beyond
    its edges the shown picture is mirrored.
    """

    source: UInt8[ndarray, "h w 3"]
    height: int
    """As shown, in pixels."""
    width: int

    @staticmethod
    def of(source: UInt8[ndarray, "h w 3"]) -> "Content":
        """A picture at its own size."""
        return Content(source, *source.shape[:2])

    def window(self, box: Box) -> UInt8[ndarray, "y x 3"]:
        """The shown picture in a box, which may lie anywhere."""
        if (self.height, self.width) == self.source.shape[:2]:
            return window(self.source, box)
        rows = mirrored(box.top, box.bottom, self.height)
        columns = mirrored(box.left, box.right, self.width)
        top, left = int(rows.min()), int(columns.min())
        part = self._resized(Box(top, left, int(rows.max()) + 1, int(columns.max()) + 1))
        return part[(rows - top)[:, None], columns - left]  # type: ignore[no-any-return]

    def small(self, most_px: int) -> UInt8[ndarray, "y x 3"]:
        """All of the shown picture, shrunk to that if a side is longer."""
        factor = min(1.0, most_px / max(self.height, self.width))
        shape = (max(round(self.height * factor), 1), max(round(self.width * factor), 1))
        return Content(self.source, *shape).window(Box(0, 0, *shape))

    def _resized(self, box: Box) -> UInt8[ndarray, "y x 3"]:
        source_height, source_width = self.source.shape[:2]
        rows = _taps(box.top, box.bottom, self.height, source_height)[1]
        turned = np.empty((box.width, len(rows), 3))  # [x h 3]: across first, some rows at a time
        for left in range(box.left, box.right, LINES_AT_ONCE):
            right = min(left + LINES_AT_ONCE, box.right)
            across, columns = _taps(left, right, self.width, source_width)
            for first in range(rows.start, rows.stop, ROWS_AT_ONCE):
                last = min(first + ROWS_AT_ONCE, rows.stop)
                seen = self.source[first:last, columns.start : columns.stop].astype(np.float64)
                made = np.tensordot(across, seen, (1, 1))
                turned[left - box.left : right - box.left, first - rows.start : last - rows.start] = made
        shown = np.empty((box.height, box.width, 3), np.uint8)
        for top in range(box.top, box.bottom, LINES_AT_ONCE):
            bottom = min(top + LINES_AT_ONCE, box.bottom)
            down, places = _taps(top, bottom, self.height, source_height)
            part = turned[:, places.start - rows.start : places.stop - rows.start]
            made = np.floor(np.tensordot(down, part, (1, 1)) + HALF_UP)
            shown[top - box.top : bottom - box.top] = made.clip(0, 255)
        return shown


def _taps(first: int, last: int, length: int, source: int) -> tuple[Float64[ndarray, "n m"], range]:
    """Weights of the source's pixels for the pixels first..last-1 of an axis, and which of the source's they are."""
    scale = source / length
    reach = max(scale, 1.0)
    centres = (np.arange(first, last) + 0.5) * scale - 0.5
    places = np.arange(
        max(int(np.floor(centres[0] - LOBES * reach)), 0), min(int(np.ceil(centres[-1] + LOBES * reach)) + 1, source)
    )
    weights = _lanczos((places - centres[:, None]) / reach)
    return weights / weights.sum(1, keepdims=True), range(int(places[0]), int(places[-1]) + 1)


def _lanczos(x: Float64[ndarray, "n m"]) -> Float64[ndarray, "n m"]:
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)
