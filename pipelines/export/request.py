"""One layer of a finished poster on its way to a file, read in bands so that memory does not grow with the area::

band    +--------+--------+----+   BAND_PX rows, all columns
| piece  | piece  |    |   a piece is what is read from the store at once
+--------+--------+----+
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.geometry import Box
from pipelines.export.formats import TIFF_TILE_PX, ExportOptions, format_of
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.progress import Progress, progress
from pipelines.storage.door import file_name, replacing
from pipelines.storage.outputs import require_file, require_folder
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps

BAND_PX = TIFF_TILE_PX  # so that a band is a row of a TIFF's tiles
PIECE_PX = 2048


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is to be written, where to and how."""

    poster: FinishedPoster
    url: str
    """Of the file or folder; its ending names the format. A file that exists is replaced once the new one is whole."""
    layer: str = "output"
    """One of poster.layers. A viewer has them all."""
    options: ExportOptions = ExportOptions()  # noqa: RUF009 - it is frozen

    def check(self) -> None:
        """Find what would fail, before anything is written.

        Raises:
            ValueError: if there is no such layer or format, nothing can be written there, the poster is too large for
                the format, or its resolution cannot be stated.
        """
        layers, (height, width) = self.poster.layers, self.poster.store.size()
        if self.layer not in layers:
            raise ValueError(f"expected a layer of {', '.join(layers)}, got {self.layer!r}; name one of them")
        file_format = format_of(self.url)
        (require_folder if file_format.is_folder else require_file)(self.url)
        file_format.check_size(self.url, height, width)
        self.options.dots_per_inch(width)

    @property
    def dpi(self) -> float:
        """Dots per inch that the file states."""
        return self.options.dots_per_inch(self.poster.store.size()[1])

    @property
    def expected_bytes(self) -> int:
        """Roughly the most that it will take."""
        return format_of(self.url).expected_bytes(*self.poster.store.size(), self.options)

    def write(self) -> Steps[str]:
        """Write it, a file as one task and a folder as many; returns the URL of what is to be opened.

        Raises:
            ValueError: see check.
            RuntimeError: if a worker cannot write the file, or parts of a folder keep failing.
            OSError: if this process cannot write the file.
        """
        self.check()
        if format_of(self.url).is_folder:
            page: str = yield from format_of(self.url).load_writer()(self)
            return page
        yield from apply_to_each(Shared(self), _write_file, [0], file_name(self.url))
        return self.url

    @contextmanager
    def open(self, num_levels: int = 1) -> Iterator[tuple[Path, "LayerReader"]]:
        """The local file to write, and the layer's pixels for it, while it is shown how far they are.

        Args:
            num_levels: how many levels of the pyramid will be read.
        """
        rows = sum(self.poster.store.size(level)[0] for level in range(num_levels))
        with replacing(self.url) as path, progress(file_name(self.url), rows, "row", leave=False) as shown:
            yield path, LayerReader(self.poster, self.layer, shown)


@dataclass(frozen=True, slots=True)
class LayerReader:
    """A layer that is read from top to bottom, under a progress bar."""

    poster: FinishedPoster
    layer: str
    shown: Progress

    def bands(self, level: int = 0) -> Iterator[UInt8[ndarray, "h W 3"]]:
        """All rows of a pyramid level, some at a time."""
        height, width = self.poster.store.size(level)
        for top in range(0, height, BAND_PX):
            bottom = min(top + BAND_PX, height)
            band = np.empty((bottom - top, width, 3), np.uint8)
            for left in range(0, width, PIECE_PX):
                box = Box(top, left, bottom, min(left + PIECE_PX, width))
                band[:, box.left : box.right] = self.poster.rgb(self.layer, box, level)
            yield band
            self.shown.update(len(band))

    def tiles(self, level: int, size: tuple[int, int]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """All tiles of a pyramid level, in reading order. At its edges the last pixels are repeated."""
        for band in self.bands(level):
            for left in range(0, band.shape[1], size[1]):
                tile = band[:, left : left + size[1]]
                missing = [(0, whole - existing) for whole, existing in zip(size, tile.shape, strict=False)]
                yield np.pad(tile, (*missing, (0, 0)), mode="edge")


def _write_file(request: ExportRequest, number: int) -> None:
    """Write the request's only file."""
    format_of(request.url).load_writer()(request)
