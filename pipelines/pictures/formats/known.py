"""The formats that are read, by the first bytes of a file, and the names of others that people have pictures in.

Pillow reads more formats than these. Left out are those that start other programs (EPS), hold pictures of other formats
with sizes of their own (ICO, ICNS), are decoded pixel by pixel in Python (PPM, QOI), or are no pictures to look at. SVG
is left out because libvips' reader of it is not made for files from strangers; JPEG XL because imagecodecs tells
neither size nor colours before it decodes; HEIC because no installed decoder reads it.
"""

from functools import cache
from typing import NamedTuple

from PIL import Image


class Format(NamedTuple):
    """A format of picture files."""

    name: str
    """Pillow's name for it."""
    decoding_bytes: int
    """The most memory that decoding takes for each pixel, the decoded picture and the 3 bytes of its result included.
    tests/pipelines/pictures/test_decoding_memory.py measures it."""


AVIF = Format("AVIF", 20)
BMP = Format("BMP", 9)
GIF = Format("GIF", 9)
JPEG = Format("JPEG", 13)
JPEG2000 = Format("JPEG2000", 28)
PNG = Format("PNG", 9)
TIFF = Format("TIFF", 17)
WEBP = Format("WEBP", 17)
FORMATS = (AVIF, BMP, GIF, JPEG, JPEG2000, PNG, TIFF, WEBP)

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"GIF8": GIF,
    b"BM": BMP,
    b"\0\0\0\x0cjP  \r\n\x87\n": JPEG2000,
    b"\xff\x4f\xff\x51": JPEG2000,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TIFF),
}
UNREAD_SIGNATURES = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\0\0\1\0": "ICO",
    b"icns": "ICNS",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE": "Radiance",
    b"qoif": "QOI",
    b"DDS ": "DDS",
    b"gimp xcf": "GIMP",
    b"II*\0\x10\0\0\0CR": "camera raw",
    b"FUJIFILMCCD-RAW": "camera raw",
    **{b"P%d" % number + space: "PPM" for number in range(1, 8) for space in (b"\n", b" ", b"\r", b"\t")},
}
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_BRANDS_BYTES = 200
SVG_BYTES = 1000
"""So far into a file the element <svg> is looked for, behind a comment, say."""


def format_of(data: bytes) -> Format:
    """The format of a file.

    Raises:
        ValueError: if it is of a format that is not read, or of none that is known.
    """
    name = next((name for signature, name in UNREAD_SIGNATURES.items() if data.startswith(signature)), None)
    found = next((each for signature, each in SIGNATURES.items() if data.startswith(signature)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = WEBP
    if data[4:8] == b"ftyp":
        found, name = _by_brands(data)
    if b"<svg" in data[:SVG_BYTES] and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        name = "SVG"
    if name is not None:
        raise ValueError(f"{name}, which is not read; convert it to PNG or JPEG")
    if found is None:
        raise ValueError("no picture" if data else "an empty file")
    return found


def _by_brands(data: bytes) -> tuple[Format | None, str | None]:
    """A file in boxes, as videos are: which of the formats that use them it is."""
    size = min(int.from_bytes(data[:4], "big"), MAX_BRANDS_BYTES)
    brands = {data[start : start + 4] for start in range(8, size, 4)}
    if brands & {b"avif", b"avis"}:
        return AVIF, None
    if b"crx " in brands:
        return None, "camera raw"
    return None, "HEIC" if brands & set(HEIC_BRANDS) else "a video"


@cache
def endings() -> tuple[str, ...]:
    """Endings of the names of files in the formats that are read, in lower case."""
    names = {each.name for each in FORMATS} | {"MPO"}  # a JPEG file that holds more pictures behind the first one
    return tuple(ending for ending, name in Image.registered_extensions().items() if name in names)
