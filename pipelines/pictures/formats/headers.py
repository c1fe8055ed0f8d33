"""What Pillow does not tell of a file: how large a WebP is before it is opened, and which colours it means."""

import struct
from collections.abc import Iterator

from PIL import Image

from magic.checks import require

# Code points of ITU-T H.273, which PNG and AVIF share
UNSPECIFIED, BT709, BT601, SRGB = 2, 1, 6, 13
LOOKS_LIKE_SRGB = (BT709, UNSPECIFIED, BT601, SRGB)
"""Transfer curves of videos among them, which every viewer shows as if they were sRGB's."""
SRGB_CICP = (BT709, SRGB, 0, 1)
SRGB_CHROMATICITY = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
CHROMATICITY_TOLERANCE = 0.01
GREY_WITH_ALPHA = 4
"""Colour type of a PNG."""
GREY_FACTORS = {1: 255, 2: 85, 4: 17, 8: 1}
"""By which Pillow spreads grey samples of a PNG over 0 to 255, for their depth."""
JP2_COLOURS = {12: "CMYK", 16: "sRGB", 17: "grey", 18: "sYCC"}
START_OF_SCAN, APP1 = 0xDA, 0xE1
JPEG_ALONE = (0x00, 0x01, *range(0xD0, 0xDA), 0xFF)
"""JPEG markers without data."""
MAX_SCANS = 100
"""Progressive JPEG files have about ten, and some more in the small copies that they carry."""
MAX_EXIF_BYTES = 100_000
"""EXIF is one segment of a JPEG file, of up to 65,533 bytes."""


def prepare_png(image: Image.Image, data: bytes) -> None:
    """Leave in a PNG's info the profile or the gamma by which its colours are to be converted, and a transparent grey
    as it is among the samples that Pillow makes.

    Raises:
        ValueError: if its colours are neither sRGB nor given by a profile or a gamma.
    """
    chunks = dict(_png_chunks(data))
    image.info["is_grey"] = data[25] == GREY_WITH_ALPHA  # which has mode RGBA, if it has 16 bits
    depth, transparent = data[24], image.info.get("transparency")
    gamma, chromaticity = image.info.pop("gamma", None), image.info.get("chromaticity")
    deep = image.mode == "RGB" and depth == 16 and transparent is not None
    require(not deep, "an opaque PNG, or one with 8 bits", "a transparent colour of 16 bits", "save it with 8 bits")
    if image.mode == "L" and isinstance(transparent, int):
        image.info["transparency"] = (transparent & (1 << depth) - 1) * GREY_FACTORS[depth]
    if cicp := chunks.get(b"cICP"):
        require(tuple(cicp) == SRGB_CICP, "a PNG in sRGB", f"cICP {tuple(cicp)}", "convert it to sRGB (no HDR)")
        image.info.pop("icc_profile", None)  # cICP goes before a profile
    elif b"sRGB" not in chunks and not image.info.get("icc_profile"):
        known = chromaticity is None or all(map(_is_close, chromaticity, SRGB_CHROMATICITY))
        require(known, "a PNG with the primaries of sRGB", f"cHRM {chromaticity}", "convert it to sRGB")
        image.info["gamma"] = gamma


def _is_close(one: float, other: float) -> bool:
    return abs(one - other) < CHROMATICITY_TOLERANCE


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks of a PNG file that lie before its pixels."""
    position, name = 8, b""
    while position + 8 <= len(data) and name != b"IDAT":
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, data[position + 8 : position + 8 + length]
        position += 12 + length


def require_avif_colours(data: bytes) -> None:
    """Refuse an AVIF whose colours are neither sRGB nor given by a profile.

    Raises:
        ValueError: naming them.
    """
    place = data.find(b"colrnclx")
    if place < 0 or b"colrprof" in data or b"colrrICC" in data:
        return
    primaries, transfer = struct.unpack(">HH", data[place + 8 : place + 12].ljust(4, b"\0"))
    known = primaries in (BT709, UNSPECIFIED) and transfer in LOOKS_LIKE_SRGB
    require(known, "an AVIF in sRGB", f"primaries {primaries}, transfer {transfer}", "convert it to sRGB (no HDR)")


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP file in pixels: its decoder takes memory for them as soon as it is opened."""
    kind, head = data[12:16], data[:30].ljust(30, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def prepare_jpeg2000(image: Image.Image, data: bytes) -> None:
    """Leave in the info of a JPEG 2000 the ICC profile, which Pillow leaves out.

    Raises:
        ValueError: if its samples are signed, or its colours of a kind that is not read.
    """
    stream = data.find(b"\xff\x4f\xff\x51")
    num_components = int.from_bytes(data[stream + 40 : stream + 42], "big")
    components = data[stream + 42 : stream + 42 + 3 * num_components : 3]  # behind the sizes in the marker segment SIZ
    signed = any(bits & 0x80 for bits in components)
    require(not signed, "a JPEG 2000 with unsigned samples", "signed ones", "save it as 8-bit RGB")
    place = data.find(b"colr", 0, max(stream, 0))
    if place < 4:
        return
    method, number = data[place + 4], int.from_bytes(data[place + 7 : place + 11], "big")
    if method == 1:
        require(number in JP2_COLOURS, "a JPEG 2000 in sRGB, grey or CMYK", f"colours {number}", "convert it to sRGB")
    else:
        image.info["icc_profile"] = data[place + 7 : place - 4 + int.from_bytes(data[place - 4 : place], "big")]


def require_modest_jpeg(data: bytes) -> None:
    """Refuse a JPEG file that would take Pillow much time, by many scans of the whole picture, or much memory, by more
    EXIF than its standard has room for.

    Raises:
        ValueError: if it would.
    """
    num_scans = data.count(bytes((0xFF, START_OF_SCAN)))
    require(num_scans <= MAX_SCANS, f"a JPEG of at most {MAX_SCANS} scans", num_scans, "save it anew")
    total, position = 0, data.find(b"\xff", 2)
    while 0 <= position < len(data) - 10 and data[position + 1] != START_OF_SCAN:
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] == APP1 and data[position + 4 : position + 10] == b"Exif\0\0":
            total += length
        position = data.find(b"\xff", position + (1 if data[position + 1] in JPEG_ALONE else 2 + length))
    require(total <= MAX_EXIF_BYTES, f"at most {MAX_EXIF_BYTES} bytes of EXIF data", total, "remove it")
