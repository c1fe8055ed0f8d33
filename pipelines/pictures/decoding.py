"""Open any picture on any storage, safely, as 8-bit sRGB.

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
import time
from collections.abc import Sequence

import fsspec
import numpy as np
from fsspec.core import url_to_fs
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from magic.checks import require

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
READ_ATTEMPTS, READ_PAUSE_S = 3, 0.5

Image.MAX_IMAGE_PIXELS = None  # decode() checks each picture against its own limit, before decoding


def list_pictures(urls: Sequence[str]) -> list[str]:
    """All pictures under files, folders and globs, sorted, each once.

    Raises:
        ValueError: if there are no URLs, or one of them leads to no picture.
    """
    require(len(urls) >= 1, "at least one URL of pictures", list(urls), "name a file, a folder or a glob")
    return sorted({picture for url in urls for picture in _expand(url)})


def read_bytes(url: str) -> bytes:
    """The file at a URL; a storage that fails is asked again, twice."""
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            with fsspec.open(url, "rb") as file:
                return file.read()  # type: ignore[no-any-return]
        except FileNotFoundError:
            raise
        except Exception:  # every storage library has errors of its own
            if attempt == READ_ATTEMPTS:
                raise
            time.sleep(READ_PAUSE_S * 2**attempt)
    raise AssertionError


def reason_of(error: Exception) -> str:
    """An error in one line, the same at every run."""
    if isinstance(error, UnidentifiedImageError):  # its own text names an address in memory
        return "no picture"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def decode(
    data: bytes, *, scale: float = 1.0, square_px: int | None = None, max_megapixels: float = 500.0
) -> UInt8[ndarray, "H W 3"]:
    """Decode a picture, by the rules at the head of this module, and resize it.

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


def _expand(url: str) -> list[str]:
    try:
        fs, path = url_to_fs(url)
        if fs.isdir(path):
            found = fs.find(path)
        elif fs.exists(path):
            found = [path]
        else:
            found = fs.glob(path) if any(sign in path for sign in "*?[") else []
    except Exception as error:  # every storage library has errors of its own
        raise ValueError(f"expected pictures at {url}, got: {reason_of(error)}; check the URL") from error
    single = found == [path]
    pictures = [fs.unstrip_protocol(name) for name in found if single or name.lower().endswith(SUFFIXES)]
    require(bool(pictures), f"pictures at {url}", f"{len(found)} files, no picture", "check the URL")
    return pictures


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
