"""Decode any picture, safely, as 8-bit sRGB.

What is done to pictures that are not plain RGB, in this order:

=============  =============================================================================================
bombs          refused by the size in the header, before a pixel is decoded
truncated      refused (Pillow's strict decoding)
EXIF           turned upright
16 bit         the high byte of each sample
ICC profile    converted to sRGB by perceptual intent; an unusable profile is ignored: taken as sRGB
CMYK           by its profile, else by Pillow's plain formula
grey, palette  to RGB
alpha          laid on white
=============  =============================================================================================
"""

import io

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from magic.checks import require, typed_line

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

Image.MAX_IMAGE_PIXELS = None  # decode() checks each picture against its own limit, before decoding


def reason_of(error: Exception) -> str:
    """An error in one line, the same at every run."""
    if isinstance(error, UnidentifiedImageError):  # its own text names an address in memory
        return "no picture"
    return typed_line(error)


def decode(
    data: bytes, *, scale: float = 1.0, square_px: int | None = None, max_megapixels: float = 500.0
) -> UInt8[ndarray, "H W 3"]:
    """Decode a picture by the rules at the head of this module, and resize it.

    Args:
        data: the file.
        scale: factor for both sides.
        square_px: scale the shorter side to this instead, and trim the longer one evenly at both ends.
        max_megapixels: limit before and after scaling.

    Raises:
        ValueError, OSError: if it is no picture, damaged or larger than max_megapixels.
    """
    image: Image.Image = Image.open(io.BytesIO(data))
    megapixels = image.width * image.height / 1e6
    megapixels *= max(scale, 1.0) ** 2
    require(megapixels <= max_megapixels, f"at most {max_megapixels:g} megapixels", round(megapixels, 1), "shrink it")
    image.load()
    rgb = _to_srgb(_eight_bit(ImageOps.exif_transpose(image)))
    if square_px is not None:
        rgb = ImageOps.fit(rgb, (square_px, square_px), Image.Resampling.LANCZOS)
    elif scale != 1.0:
        size = max(round(rgb.width * scale), 1), max(round(rgb.height * scale), 1)
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return np.array(rgb)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits; other modes as they are (Pillow reads 16-bit colour as 8-bit by itself)."""
    if image.mode.startswith("I"):
        grey = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
        grey.info = image.info
        return grey
    require(image.mode != "F", "integer samples", "floating-point samples", "save it with 8 or 16 bits")
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Colours by profile, transparency on white, three channels."""
    profile = image.info.get("icc_profile")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    image = _by_profile(image, profile) if profile else image
    image = image.convert("RGB")
    return image if alpha is None else Image.composite(image, Image.new("RGB", image.size, "white"), alpha)


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    assert converted is not None
    return converted
