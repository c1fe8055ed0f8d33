"""Decode any picture, safely, as 8-bit sRGB.

What is done to pictures that are not plain RGB, in this order:

=============  =============================================================================================
other formats  refused by name, see `formats/known.py`; nothing but the formats listed there is opened
bombs          refused by the size in the header, before a pixel is decoded, if decoding would take more memory
               than there is for it, see `reading_memory.py`; a JPEG of very many scans is refused, too
truncated      refused (Pillow's strict decoding), as is everything else that Pillow finds damaged
many pages     the largest page of a TIFF, of several the first; refused if it is marked as a smaller copy of another
animation      its first picture
EXIF, TIFF     turned upright by the orientation in EXIF data, or in the tags of a TIFF
16 bit         the high byte of each sample; of other depths above 8 bits the highest 8 bits
other samples  TIFFs of signed, floating-point or 32-bit samples, of 16 bits in separate planes, in Lab or in YCbCr
               without JPEG are refused, and JPEG 2000 of signed samples
ICC profile    converted to sRGB by perceptual intent; one that is damaged or for other channels than the picture's is
               ignored: taken as sRGB
gAMA           of a PNG without a profile and without an sRGB chunk: converted to sRGB, unless it is about 1/2.2
other colours  PNG by cICP or cHRM, AVIF and JPEG 2000 by their headers: refused unless they are sRGB (for AVIF: look
               like it), as wide gamuts and HDR are not
CMYK           by its profile, else by Pillow's plain formula
grey, palette  to RGB
alpha, tRNS    laid on white, after the colours are converted
=============  =============================================================================================
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from magic.checks import first_line, typed_line
from pipelines.pictures.formats.colours import Colours, bands
from pipelines.pictures.formats.headers import (
    prepare_jpeg2000,
    prepare_png,
    require_avif_colours,
    require_modest_jpeg,
    webp_size,
)
from pipelines.pictures.formats.known import AVIF, JPEG, JPEG2000, PNG, TIFF, WEBP, Format, format_of
from pipelines.pictures.formats.tiff_pages import orientation, picture_page, require_known_samples, sample_kind
from pipelines.pictures.reading_memory import free_bytes, require_bytes
from pipelines.storage.local_files import UnusableFileError

SCALING_BYTES = 24
"""The most memory that scaling takes for each pixel of its result."""
STORED: dict[int, Callable[[ndarray], ndarray]] = {
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""For each orientation that EXIF data name but 1: an upright picture as it lies in the file, without a copy."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged tags, without the name of the file
Image.MAX_IMAGE_PIXELS = None  # decode() checks each picture against its own limit, before decoding


def reason_of(error: Exception) -> str:
    """An error in one line, the same at every run."""
    says_itself = type(error) in (ValueError, UnusableFileError)  # our own; libraries have others below ValueError
    return first_line(error) if says_itself else typed_line(error)


def decode(
    data: bytes, *, scale: float = 1.0, square_px: int | None = None, max_bytes: int | None = None
) -> UInt8[ndarray, "H W 3"]:
    """Decode a picture by the rules at the head of this module, and resize it.

    Args:
        data: the file.
        scale: factor for both sides.
        square_px: scale the shorter side to this instead, and trim the longer one evenly at both ends.
        max_bytes: memory that there is for it, the file included; left out, what is free on this machine.

    Raises:
        ValueError: if it is no picture, damaged, of a kind that is not read, or takes more memory than there is.
    """
    kind = format_of(data)
    limit = free_bytes() if max_bytes is None else max_bytes

    def require_room(width: int, height: int) -> None:
        scaled = square_px**2 if square_px is not None else width * height * scale**2 * (scale != 1.0)
        require_bytes(len(data) + width * height * kind.decoding_bytes + int(scaled * SCALING_BYTES), limit)

    pixels = _upright(_opened(data, kind, require_room), data, kind)
    return _scaled(pixels, scale, square_px)


@contextmanager
def _naming_damage(kind: Format) -> Iterator[None]:
    """Turn whatever Pillow raises into one line that names the format."""
    try:
        yield
    except Exception as error:  # a damaged file can raise anything
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({first_line(error)})"
        raise ValueError(f"a damaged {kind.name}, or one of a kind that is not read{reason}") from error


def _opened(data: bytes, kind: Format, require_room: Callable[[int, int], None]) -> Image.Image:
    """The picture of a file, once it is known that there is memory for decoding it."""
    page = 0
    if kind is JPEG:
        require_modest_jpeg(data)
    if kind is WEBP:
        require_room(*webp_size(data))
    if kind is TIFF:
        page, directory = picture_page(data)
        require_room(*directory.tile_size)
    with _naming_damage(kind):
        image = Image.open(io.BytesIO(data), formats=[kind.name])
        if page:
            image.seek(page)
    require_room(*image.size)
    return image


def _colours(image: Image.Image, data: bytes, kind: Format) -> Colours:
    """What the samples of a picture mean.

    Raises:
        ValueError: if they are of a kind that is not read.
    """
    if isinstance(image, TiffImageFile):
        require_known_samples(image)
        bits, white_at_zero = sample_kind(image)
        return Colours(image, bits, white_at_zero=white_at_zero)
    if kind is AVIF:
        require_avif_colours(data)
    if kind is PNG:
        prepare_png(image, data)
    if kind is JPEG2000:
        prepare_jpeg2000(image, data)
    return Colours(image)


def _upright(image: Image.Image, data: bytes, kind: Format) -> UInt8[ndarray, "H W 3"]:
    """The pixels of a picture in sRGB, turned upright."""
    colours = _colours(image, data, kind)
    turn = 1 if kind is TIFF else orientation(image.info.get("exif", b""))  # Pillow turns a TIFF by itself
    with _naming_damage(kind):
        image.load()
        sides = (image.height, image.width) if turn < 5 else (image.width, image.height)
        upright = np.empty((*sides, 3), np.uint8)
        stored = STORED[turn](upright) if turn in STORED else upright
        for rows, band in bands(image):
            stored[rows] = colours.to_srgb(band)
    return upright


def _scaled(pixels: UInt8[ndarray, "_ _ 3"], scale: float, square_px: int | None) -> UInt8[ndarray, "_ _ 3"]:
    """The pixels at another size, if one is wanted."""
    if square_px is not None:
        return np.array(ImageOps.fit(Image.fromarray(pixels), (square_px, square_px), Image.Resampling.LANCZOS))
    if scale == 1.0:
        return pixels
    rgb = Image.fromarray(pixels)
    size = max(round(rgb.width * scale), 1), max(round(rgb.height * scale), 1)
    return np.array(rgb.resize(size, Image.Resampling.LANCZOS))
