"""One layer of a finished poster as one file that people open: PNG, TIFF or JPEG, of any size, on any storage.

The poster is read in bands of rows, so that memory grows with its width and not with its area::

    band    +--------+--------+----+   BAND_PX rows, all columns
            | piece  | piece  |    |   a piece is what is read from the store at once
            +--------+--------+----+

All files carry the sRGB profile and the resolution in dots per inch, and nothing that changes from run to run.
"""

import glob
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyvips
import tifffile
from fsspec.core import url_to_fs
from jaxtyping import UInt8
from numpy import ndarray
from tqdm import tqdm

from magic.checks import require
from magic.geometry import Box, round_up
from pipelines.export.png import DPI, MM_PER_INCH, png_parts, srgb_profile
from pipelines.store.finished_poster import FinishedPoster
from pipelines.store.storage import PARTIAL

Format = Literal["png", "tiff", "jpeg"]
TiffCompression = Literal["deflate", "jpeg"]
ENDINGS: dict[str, Format] = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".jpg": "jpeg", ".jpeg": "jpeg"}
MOST_PX: dict[Format, int] = {"png": 2**31 - 1, "tiff": 2**31 - 1, "jpeg": 65_500}
"""Longest side: by PNG's standard, by what readers of BigTIFF take, by libvips for JPEG (the standard has 65,535)."""
MOST_DPI = 65_535  # what a JPEG can say
CM_PER_INCH = 2.54
BAND_PX, PIECE_PX = 512, 2048
TIFF_TILE_PX = BAND_PX
TIFF_BUFFER_BYTES = 32 << 20  # tiles that wait for a free core
PNG_LEVEL, TIFF_LEVEL = 1, 6
ABANDONED_S = 3600
"""A half written file that nobody has written to for so long was left by a process that was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """How a file is written."""

    dpi: float = DPI
    """Dots per inch: tells printers the size, changes no pixel. PNG keeps whole dots per metre, JPEG whole dpi."""
    width_cm: float | None = None
    """Width on paper in centimetres; the dots per inch follow from it."""
    quality: int = 92
    """Of JPEG and of TIFF's JPEG tiles, 1 to 100. Colours are kept at full resolution (4:4:4)."""
    tiff_compression: TiffCompression = "deflate"
    """deflate: keeps every pixel. jpeg: a fraction of the size."""

    def __post_init__(self) -> None:
        require(1 <= self.quality <= 100, "a quality of 1 to 100", self.quality, "92 is usual")
        require(1 <= self.dpi <= MOST_DPI, f"1 to {MOST_DPI} dpi", self.dpi, "300 is usual in print")
        require(self.width_cm is None or self.width_cm > 0, "a width above 0 cm", self.width_cm, "leave it out")

    def dots_per_inch(self, width_px: int) -> float:
        """The resolution at which a poster of this width is printed.

        Raises:
            ValueError: if it is one that no file can state, because width_cm does not suit the pixels.
        """
        if self.width_cm is None:
            return self.dpi
        dpi = width_px / (self.width_cm / CM_PER_INCH)
        require(
            1 <= dpi <= MOST_DPI,
            f"a width on paper that makes 1 to {MOST_DPI} dpi of {width_px} pixels",
            f"{self.width_cm:g} cm, {dpi:.3g} dpi",
            "give the width in centimetres",
        )
        return dpi


def export_file(poster: FinishedPoster, layer: str, url: str, options: ExportOptions | None = None) -> int:
    """Write a layer as one file; a file that stands there already is replaced, once the new one is whole.

    Args:
        poster: what to write.
        layer: one of poster.layers.
        url: of the file; its ending names the format.
        options: how; left out, the defaults.

    Returns:
        The file's size in bytes.

    Raises:
        ValueError: if there is no such layer, no such format, or the poster is too large for it.
        OSError: if the file cannot be written.
    """
    options = options or ExportOptions()
    size = poster.store.size()
    require(layer in poster.layers, f"a layer of {', '.join(poster.layers)}", layer, "name one of them")
    kind = check_format(url, *size)
    dpi = options.dots_per_inch(size[1])
    levels = range(poster.store.num_levels if kind == "tiff" else 1)
    rows = sum(poster.store.size(level)[0] for level in levels)
    with _replacing(url) as path, tqdm(total=rows, desc=url.rsplit("/", 1)[-1], unit="row", leave=False) as bar:
        _WRITERS[kind](_Painting(poster, layer, bar), path, options, dpi)
        return path.stat().st_size


def check_format(url: str, height: int, width: int) -> Format:
    """The format that a file's ending names.

    Args:
        url: of the file.
        height: of the poster, in pixels.
        width: of the poster, in pixels.

    Raises:
        ValueError: if the ending is not known, or the format cannot hold so many pixels.
    """
    kind = ENDINGS.get(os.path.splitext(url)[1].lower())  # noqa: PTH122 - a URL is no path
    if kind is None:
        raise ValueError(
            f"expected a file ending in {', '.join(ENDINGS)}, got {url!r}; "
            "choose one of them, or end it in / for a viewer"
        )
    require(
        max(height, width) <= MOST_PX[kind],
        f"at most {MOST_PX[kind]} pixels on a side for {kind.upper()} ({url})",
        f"{width} x {height}",
        "take .tif, or .png" if kind == "jpeg" else "export fewer pixels",
    )
    return kind


def expected_bytes(kind: Format, height: int, width: int) -> int:
    """Roughly the most that a file can take, in bytes.

    PNG and TIFF are counted without any gain from compression, the TIFF with its halvings (a third more) in whole
    tiles: paintings take half to three quarters of it. JPEG is counted as half of the pixels' bytes: paintings take
    a tenth to a fifth of them at quality 92 and less than half at 100; only noise takes more.
    """
    if kind == "jpeg":
        return height * width * 3 // 2 + 4096
    if kind == "png":
        return (width * 3 + 1) * height * 1001 // 1000 + 4096  # a filter's byte per row, and the chunks' own
    tiles = ceil(height / TIFF_TILE_PX) * ceil(width / TIFF_TILE_PX)
    return tiles * TIFF_TILE_PX**2 * 3 * 4 // 3 + 4096


@dataclass(frozen=True, slots=True)
class _Painting:
    """A layer that is read from top to bottom, under a progress bar."""

    poster: FinishedPoster
    layer: str
    bar: Any

    def bands(self, level: int = 0) -> Iterator[UInt8[ndarray, "h W 3"]]:
        """All rows of a halving, so many at a time."""
        height, width = self.poster.store.size(level)
        for top in range(0, height, BAND_PX):
            bottom = min(top + BAND_PX, height)
            band = np.empty((bottom - top, width, 3), np.uint8)
            for left in range(0, width, PIECE_PX):
                box = Box(top, left, bottom, min(left + PIECE_PX, width))
                band[:, box.left : box.right] = self.poster.rgb(self.layer, box, level)
            yield band
            self.bar.update(len(band))

    def png(self, dpi: float, level: int) -> Iterator[bytes]:
        """All of it as the parts of a PNG."""
        height, width = self.poster.store.size()
        return png_parts(self.bands(), height, width, dpi=dpi, level=level)

    def tiles(self, level: int, size: tuple[int, int]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """All tiles of a halving, in reading order; at its edges the last pixels are repeated."""
        for band in self.bands(level):
            for left in range(0, band.shape[1], size[1]):
                tile = band[:, left : left + size[1]]
                missing = [(0, whole - there) for whole, there in zip(size, tile.shape, strict=False)]
                yield np.pad(tile, (*missing, (0, 0)), mode="edge")


def _write_png(painting: _Painting, path: Path, _: ExportOptions, dpi: float) -> None:
    with path.open("wb") as file:
        file.writelines(painting.png(dpi, PNG_LEVEL))


def _write_jpeg(painting: _Painting, path: Path, options: ExportOptions, dpi: float) -> None:
    """Let libvips write what it reads as a stream, an uncompressed PNG.

    Raises:
        OSError: if libvips cannot write.
    """
    # libvips works in a thread of its own, because nobody could interrupt this one within it
    with ThreadPoolExecutor(1) as thread, closing(_Stream(painting.png(dpi, level=0))) as stream:
        try:
            thread.submit(_save_jpeg, stream, path, options.quality, dpi).result()
        except pyvips.Error as error:
            raise stream.error or OSError(f"libvips: {' '.join(str(error).split())}") from error


def _save_jpeg(stream: "_Stream", path: Path, quality: int, dpi: float) -> None:
    source = pyvips.SourceCustom()
    source.on_read(stream.read)
    image = pyvips.Image.pngload_source(source, access="sequential", fail_on="warning")
    image = image.copy(xres=dpi / MM_PER_INCH, yres=dpi / MM_PER_INCH)
    # optimize_coding stays off: it would hold the whole picture. The resolution goes into the EXIF, without a time
    image.jpegsave(str(path), Q=quality, subsample_mode="off")


def _write_tiff(painting: _Painting, path: Path, options: ExportOptions, dpi: float) -> None:
    """A BigTIFF in tiles; the store's halvings are the SubIFDs of its page, as viewers look for them."""
    store = painting.poster.store
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(store.num_levels):
            size = store.size(level)
            # libvips refuses tiles much larger than the picture; their sides are multiples of 16
            tile = min(round_up(size[0], 16), TIFF_TILE_PX), min(round_up(size[1], 16), TIFF_TILE_PX)
            file.write(
                painting.tiles(level, tile),
                shape=(*size, 3),
                dtype=np.uint8,
                photometric="rgb",
                tile=tile,
                resolution=(dpi / 2**level, dpi / 2**level),
                resolutionunit="INCH",
                iccprofile=srgb_profile(),
                metadata=None,
                software=False,
                maxworkers=os.cpu_count(),
                buffersize=TIFF_BUFFER_BYTES,
                **_tiff_compression(options),
                **({"subfiletype": 1} if level else {"subifds": store.num_levels - 1}),
            )


def _tiff_compression(options: ExportOptions) -> dict[str, Any]:
    if options.tiff_compression == "jpeg":
        return {"compression": "jpeg", "compressionargs": {"level": options.quality}, "subsampling": (1, 1)}
    return {"compression": "adobe_deflate", "compressionargs": {"level": TIFF_LEVEL}, "predictor": True}


_WRITERS: dict[Format, Callable[[_Painting, Path, ExportOptions, float], None]] = {
    "png": _write_png,
    "tiff": _write_tiff,
    "jpeg": _write_jpeg,
}


class _Stream:
    """Bytes that libvips reads as it needs them; they end early on an error or when it is closed."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, memoryview(b"")
        self.error: Exception | None = None

    def read(self, size: int) -> memoryview:
        """At most so many of the next bytes; none at the end."""
        try:
            self._left = self._left or memoryview(next(self._parts, b""))
        except Exception as error:  # noqa: BLE001 - libvips would swallow it: the thread that waits raises it
            self.error = error
            self.close()
        part, self._left = self._left[:size], self._left[size:]
        return part

    def close(self) -> None:
        """End here; libvips then gives up for want of rows."""
        self._parts, self._left = iter(()), memoryview(b"")


@contextmanager
def _replacing(url: str) -> Iterator[Path]:
    """A local file to write, which takes the name's place when the block ends well and vanishes otherwise."""
    fs, target = url_to_fs(url)
    if "file" in fs.protocol:
        unfinished = Path(f"{target}.{uuid.uuid4().hex}{PARTIAL}")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        for left in unfinished.parent.glob(f"{glob.escape(Path(target).name)}.*{PARTIAL}"):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                left.unlink(missing_ok=True)
        try:
            yield unfinished
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory(prefix="magic-export-") as folder:
        finished = Path(folder, target.rsplit("/", 1)[-1])  # its ending tells a bucket what it is
        yield finished
        fs.put_file(str(finished), target)
