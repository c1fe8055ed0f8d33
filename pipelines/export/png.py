"""PNG: a small picture at once, or one of any size in parts, deflated by every core."""

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

from pipelines.pictures.decoding import SRGB

DPI = 300.0
MM_PER_INCH = 25.4
PART_PX = 64


def encode_png(image: Image.Image) -> bytes:
    """A small picture as PNG bytes; the same picture always gives the same bytes."""
    buffer = io.BytesIO()
    # compress_level 1: on painted textures higher levels take four times as long for a few per cent
    image.save(buffer, "PNG", compress_level=1, dpi=(DPI, DPI), icc_profile=srgb_profile())
    return buffer.getvalue()


def srgb_profile() -> bytes:
    """The sRGB profile without the time it was made, which would make every file differ."""
    profile = SRGB.tobytes()
    return profile[:24] + bytes(12) + profile[36:]


def png_parts(
    bands: Iterable[UInt8[ndarray, "h W 3"]], height: int, width: int, *, dpi: float, level: int
) -> Iterator[bytes]:
    """The parts of a PNG file, of a picture of any size, as its rows come.

    Rows are filtered by "sub" alone, the difference from the pixel on the left: to search for the best filter of each
    row takes three times as long for a few per cent. Every core deflates rows of its own: deflated parts that end on
    whole bytes may follow one another (RFC 1951, 3.2.4).

    Args:
        bands: all rows, some at a time.
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
