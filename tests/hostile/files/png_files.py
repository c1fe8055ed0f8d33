"""PNG files of every colour type and depth, written by hand: Pillow writes few of them."""

import struct
import zlib

import numpy as np
from numpy import ndarray
from PIL import ImageCms

from tests.hostile.files.valid_picture import (
    MAYBE,
    ValidPicture,
    eight_bits,
    gamma_levels,
    in_three,
    on_white,
    samples,
    upright,
)

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(values: ndarray, colour_type: int, depth: int, *, interlaced: bool = False, chunks: bytes = b"") -> bytes:
    """A PNG file of samples."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(values[top::down, left::right], depth) for top, left, down, right in passes)
    pixels = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + pixels + chunk(b"IEND", b"")


def _rows(values: ndarray, depth: int) -> bytes:
    if not values.size:  # a pass of an interlaced picture that is too small for it
        return b""
    flat = values.reshape(len(values), -1)
    if depth == 16:
        packed = flat.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = flat.astype(np.uint8)
    else:
        bits = (flat[..., None] >> np.arange(depth)[::-1]) & 1
        packed = np.packbits(bits.reshape(len(flat), -1).astype(np.uint8), axis=1)
    return np.hstack([np.zeros((len(packed), 1), np.uint8), packed]).tobytes()


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of grey with a plain gamma."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)  # D50, in 1/65536
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(79)
    tags, place = b"", 128 + 4 + 3 * 12
    for signature, content in ((b"wtpt", white), (b"kTRC", curve), (b"desc", name)):
        tags += struct.pack(">4sII", signature, place, len(content))
        place += len(content)
    head = struct.pack(">I4xI4s4s4s", place, 0x02400000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", 3) + tags + white + curve + name


def profile_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))


def exif_chunk(orientation: int) -> bytes:
    return chunk(b"eXIf", b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0))


def png_file(rng: np.random.Generator) -> ValidPicture:
    """Any PNG, with the chunks that change its colours."""
    colour_type = int(rng.choice(list(CHANNELS)))
    depth = int(rng.choice(DEPTHS[colour_type]))
    values = samples(rng, CHANNELS[colour_type], np.uint16, 2**depth - 1)
    interlaced, orientation = bool(rng.integers(2)), int(rng.choice([1, 1, *range(1, 9)]))
    chunks, colours, alpha, name = exif_chunk(orientation), values, None, f"PNG type {colour_type} depth {depth}"
    kind = str(rng.choice(["plain", "plain", "gAMA", "sRGB", "iCCP", "tRNS", "cICP", "cHRM"]))
    if colour_type == 3:
        palette = rng.integers(0, 256, (2**depth, 3), np.uint8)
        chunks += chunk(b"PLTE", palette.tobytes())
        colours = palette[values]
    elif colour_type in (4, 6):
        colours, alpha = values[..., :-1], eight_bits(values[..., -1], depth)
        colours = colours[..., 0] if colour_type == 4 else colours
    levels = in_three(colours if colour_type == 3 else eight_bits(colours, depth))
    added, levels, alpha, must_be_read = _coloured(rng, kind, (colour_type, depth), values, (levels, alpha))
    chunks = added + chunks if kind != "tRNS" else chunks + added
    pixels = levels if alpha is None else on_white(levels, alpha)
    return ValidPicture(
        name=f"{name} {kind}{' interlaced' if interlaced else ''} orientation {orientation}",
        data=png(values, colour_type, depth, interlaced=interlaced, chunks=chunks),
        ending=".png",
        pixels=upright(pixels, orientation),
        tolerance=1 if alpha is not None or kind == "iCCP" else 0,
        must_be_read=must_be_read,
        is_compared=kind not in ("gAMA", "cHRM", "cICP") and (kind != "iCCP" or colour_type in (2, 3, 6)),
    )


def _coloured(rng, kind: str, layout: tuple[int, int], values: ndarray, shown: tuple) -> tuple:
    """The chunk of a kind, and the levels and the opacity that it makes of them; whether it has to be read."""
    (colour_type, depth), (levels, alpha) = layout, shown
    if kind == "gAMA":
        gamma = float(rng.choice([0.3, 0.45455, 0.55, 1.0, 1.8]))
        levels = levels if gamma == 0.45455 else gamma_levels(gamma)[levels]
        return chunk(b"gAMA", struct.pack(">I", round(gamma * 100000))), levels, alpha, True
    if kind == "sRGB":
        return chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 100000)), levels, alpha, True
    if kind == "iCCP" and colour_type in (2, 3, 6):
        return profile_chunk(SRGB_PROFILE), levels, alpha, True
    if kind == "iCCP":
        gamma = float(rng.choice([1.0, 1.8, 2.5]))
        return profile_chunk(grey_profile(gamma)), gamma_levels(1 / gamma)[levels], alpha, True
    if kind == "cICP":
        return chunk(b"cICP", bytes([1, 13, 0, 1])), levels, alpha, True
    if kind == "cHRM":
        numbers = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]
        return chunk(b"cHRM", struct.pack(">8I", *numbers)), levels, alpha, True
    if kind == "tRNS" and colour_type == 3:
        table = rng.integers(0, 256, 2**depth, np.uint8)
        return chunk(b"tRNS", table.tobytes()), levels, table[values], True
    if kind == "tRNS" and colour_type in (0, 2):
        clear = np.atleast_1d(values[0, 0])
        alpha = np.where((values.reshape(*values.shape[:2], -1) == clear).all(-1), 0, 255).astype(np.uint8)
        return chunk(b"tRNS", clear.astype(">u2").tobytes()), levels, alpha, colour_type == 0 or depth == 8 or MAYBE
    return b"", levels, alpha, True
