"""Which page of a TIFF file is the picture, and whether its samples are of a kind that is read right.

The directories are read here before Pillow sees them, because Pillow keeps all that they point to.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL.TiffImagePlugin import TiffImageFile

from magic.checks import require

MAX_PAGES = 1000
MAX_STRIPS = 1_000_000
"""Pillow makes an object of each strip or tile."""
TYPE_BYTES = dict(zip(range(1, 19), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8), strict=True))
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 259, 262
STRIPS, ORIENTATION, SAMPLES, PLANAR, TILE_WIDTH, TILE_HEIGHT, TILES = 273, 274, 277, 284, 322, 323, 324
BITS, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = 258, 332, 338, 339
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
READ_PHOTOMETRIC = (MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, CMYK, YCBCR)
REDUCED, MASK = 1, 4
"""Bits of the subfile type."""
OLD_REDUCED, OLD_JPEG, JPEG = 2, 6, 7
ASSOCIATED_ALPHA = 1


class Directory(NamedTuple):
    """A directory of tags."""

    values: dict[int, int]
    """Of tags that hold one whole number."""
    counts: dict[int, int]
    """Of values, for each tag."""
    num_bytes: int
    """Of all values."""
    next_offset: int
    """Where the next directory lies, 0 behind the last one."""

    @property
    def num_pixels(self) -> int:
        """Of the picture."""
        return self.values.get(WIDTH, 0) * self.values.get(HEIGHT, 0)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Width and height of its tiles, which may be larger than the picture; 0 where it has none."""
        return self.values.get(TILE_WIDTH, 0), self.values.get(TILE_HEIGHT, 0)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller copy of another page."""
        return bool(self.values.get(SUBFILE, 0) & REDUCED) or self.values.get(OLD_SUBFILE) == OLD_REDUCED


def directories(tiff: bytes) -> Iterator[Directory]:
    """The directories of a TIFF file, or of a block of EXIF data, one after another.

    Raises:
        ValueError: if one is damaged.
    """
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (version,) = struct.unpack_from(order + "H", tiff, 2)
        count, entry, offset = {42: ("H", "HHI4s", "I"), 43: ("Q", "HHQ8s", "Q")}[version]
        (start,) = struct.unpack_from(order + offset, tiff, struct.calcsize(offset))
        seen: set[int] = set()
        while start and start not in seen:
            seen.add(start)
            (num_entries,) = struct.unpack_from(order + count, tiff, start)
            begin = start + struct.calcsize(count)
            end = begin + num_entries * struct.calcsize("<" + entry)
            (start,) = struct.unpack_from(order + offset, tiff, end)
            yield _directory(struct.iter_unpack(order + entry, tiff[begin:end]), order, start)
    except (KeyError, struct.error, OverflowError) as error:
        raise ValueError("a damaged TIFF: a directory of tags does not lie within the file") from error


def _directory(entries: Iterator[tuple[int, int, int, bytes]], order: str, next_offset: int) -> Directory:
    values, counts, num_bytes = {}, {}, 0
    for tag, kind, count, raw in entries:
        num_bytes += count * TYPE_BYTES.get(kind, 0)
        counts[tag] = count
        if count == 1 and kind in INTEGERS:
            (values[tag],) = struct.unpack_from(order + INTEGERS[kind], raw)
    return Directory(values, counts, num_bytes, next_offset)


def picture_page(data: bytes) -> tuple[int, Directory]:
    """The page of a TIFF file that is the picture, and its number: the largest one, of several the first.

    Raises:
        ValueError: if there is none that is a whole picture.
    """
    require(data[:4] != b"MM\0+", "a TIFF that Pillow reads", "a BigTIFF in big-endian order", "save it as PNG or JPEG")
    pages: list[Directory] = []
    for page in directories(data):
        pages.append(page)
        require(len(pages) <= MAX_PAGES, f"at most {MAX_PAGES} pages in a TIFF", "more", "save them one by one")
        strips = max(page.counts.get(STRIPS, 0), page.counts.get(TILES, 0))
        require(strips <= MAX_STRIPS, f"a TIFF of at most {MAX_STRIPS} strips or tiles", strips, "save it anew")
        if page.num_bytes > len(data):
            raise ValueError("a damaged TIFF: its tags are larger than the file")
    whole = [number for number, page in enumerate(pages) if not page.values.get(SUBFILE, 0) & MASK]
    if not whole:
        raise ValueError("a damaged TIFF: no page")
    number = max(whole, key=lambda number: pages[number].num_pixels)
    if pages[number].is_reduced:
        raise ValueError(
            "a TIFF with smaller copies of a picture alone, as camera raw files have; convert it to PNG or JPEG"
        )
    return number, pages[number]


def require_known_samples(image: TiffImageFile) -> None:
    """Refuse what Pillow reads wrongly, or what nobody has compared with another reader.

    Raises:
        ValueError: naming what it is.
    """
    unread = _unread_samples(image)
    require(unread is None, "a TIFF of 1 to 16 bits in grey, RGB, CMYK or a palette", unread, "save it as 8-bit RGB")


def _unread_samples(image: TiffImageFile) -> str | None:
    tags = image.tag_v2
    photometric, compression = tags.get(PHOTOMETRIC), tags.get(COMPRESSION, 1)
    bits, extra = max(tags.get(BITS, (1,))), tags.get(EXTRA_SAMPLES, ())
    in_planes = tags.get(PLANAR, 1) == 2 and tags.get(SAMPLES, 1) > 1
    kinds = {
        "no word on what its samples mean (PhotometricInterpretation)": photometric is None,
        "signed, complex or floating-point samples": any(kind != 1 for kind in tags.get(SAMPLE_FORMAT, (1,))),
        f"{bits}-bit integer samples": bits > 16,
        f"PhotometricInterpretation {photometric}": photometric not in READ_PHOTOMETRIC,
        "inks other than CMYK": photometric == CMYK and tags.get(INK_SET, 1) != 1,
        "YCbCr samples without JPEG compression": photometric == YCBCR and compression != JPEG,
        "old-style JPEG compression": compression == OLD_JPEG,
        f"{bits}-bit samples in separate planes": in_planes and bits != 8,
        "YCbCr samples in separate planes": in_planes and photometric == YCBCR,
        "premultiplied samples in separate planes": in_planes and ASSOCIATED_ALPHA in extra,
    }
    return next((kind for kind, is_so in kinds.items() if is_so), None)


def sample_kind(image: TiffImageFile) -> tuple[int, bool]:
    """Bits of each sample, and whether the smallest one is white."""
    return max(image.tag_v2.get(BITS, (1,))), image.tag_v2.get(PHOTOMETRIC) == MIN_IS_WHITE


def orientation(exif: bytes) -> int:
    """The orientation of EXIF data, from 1 to 8; 1, upright, where they name none or are damaged."""
    try:
        first = next(directories(exif.removeprefix(b"Exif\0\0")), None)
    except ValueError:
        return 1
    value = first.values.get(ORIENTATION, 1) if first else 1
    return value if 1 <= value <= 8 else 1
