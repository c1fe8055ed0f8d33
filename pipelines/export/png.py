"""PNG: a layer or any picture that is too large for memory, in parts that all cores compress; or a small picture."""

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from pipelines.export.formats import DEFAULT_DPI
from pipelines.export.request import ExportRequest
from pipelines.pictures.formats.colours import SRGB

MM_PER_INCH = 25.4
PART_PX = 64
"""Rows that one core compresses at a time."""
COMPRESSION_LEVEL = 1
"""Of zlib: on painted textures higher levels take four times as long for a few per cent."""


def write_png(request: ExportRequest) -> str:
    """Write a layer as a file."""
    height, width = request.poster.store.size()
    with request.open() as (path, reader), path.open("wb") as file:
        file.writelines(png_parts(reader.bands(), height, width, dpi=request.dpi, level=COMPRESSION_LEVEL))
    return request.url


def encode_png(image: Image.Image) -> bytes:
    """A small picture as PNG bytes; the same picture always gives the same bytes."""
    buffer = io.BytesIO()
    dpi = (DEFAULT_DPI, DEFAULT_DPI)
    image.save(buffer, "PNG", compress_level=COMPRESSION_LEVEL, dpi=dpi, icc_profile=srgb_profile())
    return buffer.getvalue()


def srgb_profile() -> bytes:
    """The sRGB profile without the time it was made, which would make every file differ."""
    profile = SRGB.tobytes()
    return profile[:24] + bytes(12) + profile[36:]


def png_parts(
    bands: Iterable[UInt8[ndarray, "h W 3"]], height: int, width: int, *, dpi: float, level: int
) -> Iterator[bytes]:
    """The parts of a PNG file of any size, made while its rows come in.

    Every row is filtered by "sub", the difference from the pixel on the left. Searching for the best filter of each row
    takes three times as long and saves a few per cent. Each core compresses some rows by itself: compressed parts that
    end on whole bytes may follow one another (RFC 1951, 3.2.4).

    Args:
        bands: all rows, from top to bottom, some at a time.
        height: in pixels.
        width: in pixels.
        dpi: dots per inch, kept as whole dots per metre.
        level: of deflate, 0 (none) to 9.
    """
    dots_per_m = round(dpi * 1000 / MM_PER_INCH)
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    yield _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    yield _chunk(b"pHYs", struct.pack(">IIB", dots_per_m, dots_per_m, 1))
    yield _chunk(b"IDAT", b"\x78\x01")  # the head of a zlib stream
    checksum = zlib.adler32(b"")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for band in bands:
            rows = _filtered(band)
            checksum = zlib.adler32(rows.data, checksum)
            parts = [rows[top : top + PART_PX] for top in range(0, len(rows), PART_PX)]
            for deflated in threads.map(_deflated, parts, repeat(level)):
                yield _chunk(b"IDAT", deflated)
    yield _chunk(b"IDAT", b"\x03\0" + struct.pack(">I", checksum))  # an empty last block
    yield _chunk(b"IEND", b"")


def _filtered(band: UInt8[ndarray, "h W 3"]) -> UInt8[ndarray, "h n"]:
    pixels = band.reshape(len(band), -1)
    rows = np.empty((len(band), 1 + pixels.shape[1]), np.uint8)
    rows[:, 0] = 1  # "sub"
    rows[:, 1:4] = pixels[:, :3]
    np.subtract(pixels[:, 3:], pixels[:, :-3], out=rows[:, 4:])
    return rows


def _deflated(rows: UInt8[ndarray, "h n"], level: int) -> bytes:
    stream = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    return stream.compress(rows.data) + stream.flush(zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
