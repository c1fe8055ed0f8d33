"""From the samples of a decoded picture to 8-bit sRGB, in bands of rows: little memory is needed beside the two.

Every step works on each pixel by itself, so bands give the same pixels as the whole picture would.
"""

import io
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageCms

from magic.checks import require

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
BAND_PX = 1_000_000
"""Pixels of a band, at least one row."""
SRGB_GAMMA, GAMMA_TOLERANCE = 1 / 2.2, 0.005
"""A gamma this close to sRGB's is written by programs that mean sRGB."""
MIN_GAMMA, MAX_GAMMA = 0.1, 5.0
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK")
PROFILE_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}


class Colours:
    """What the samples of a picture mean."""

    def __init__(self, image: Image.Image, sample_bits: int = 16, *, white_at_zero: bool = False) -> None:
        """Args:
        image: decoded; its info may hold a profile, a gamma, a transparent sample, or is_grey for grey in mode RGBA.
        sample_bits: of samples that Pillow has left with more than 8 bits.
        white_at_zero: whether those samples count from white to black.

        Raises:
            ValueError: if no picture has such colours.
        """
        is_deep = image.mode.startswith("I")
        require(is_deep or image.mode in MODES, "grey, RGB or CMYK", image.mode, "save it as 8-bit RGB")
        self.is_grey = is_deep or image.mode in ("1", "L", "LA", "La") or image.info.get("is_grey", False)
        self.shift, self.white_at_zero = sample_bits - 8, white_at_zero
        self.transparent = image.info.get("transparency") if self.is_grey else None
        """The sample of grey that is transparent."""
        mode = "L" if self.is_grey else "CMYK" if image.mode == "CMYK" else "RGB"
        self.transform = _transform(image.info.get("icc_profile"), mode)
        self.levels = _levels(image.info.get("gamma"))
        """For each level, the one of sRGB."""

    def to_srgb(self, band: Image.Image) -> UInt8[ndarray, "H W 3"]:
        """A band of the picture: colours by profile or gamma, transparency on white, three channels."""
        colours, alpha = self._split(band)
        if self.transform is not None:
            colours = ImageCms.applyTransform(colours, self.transform) or colours
        colours = colours.convert("RGB")
        if self.levels is not None:
            colours = colours.point(self.levels * 3)
        if alpha is not None:
            colours = Image.composite(colours, Image.new("RGB", colours.size, "white"), alpha)
        return np.asarray(colours)

    def _split(self, band: Image.Image) -> tuple[Image.Image, Image.Image | None]:
        """Colours in mode L, RGB or CMYK, and the opacity."""
        if self.transparent is not None:
            samples = np.asarray(band if band.mode.startswith("I") else band.convert("L"))
            alpha = Image.fromarray(np.where(samples == self.transparent, 0, 255).astype(np.uint8))
            return self._grey(band), alpha
        if band.mode in ("LA", "La"):
            return tuple(band.convert("LA").split())  # type: ignore[return-value]
        if band.has_transparency_data:
            rgba = band.convert("RGBA")
            return rgba.getchannel("R") if self.is_grey else rgba.convert("RGB"), rgba.getchannel("A")
        return (band if band.mode == "CMYK" else self._grey(band)), None

    def _grey(self, band: Image.Image) -> Image.Image:
        """A band without transparency in mode L or RGB."""
        if band.mode.startswith("I"):
            samples = np.asarray(band).astype(np.uint16) >> self.shift
            return Image.fromarray((255 - samples if self.white_at_zero else samples).astype(np.uint8))
        return band.convert("L" if band.mode in ("1", "L") else "RGB")


def _levels(gamma: float | None) -> list[int] | None:
    """The level of sRGB for each level that is light to the power of gamma; None if they are alike."""
    if gamma is None or abs(gamma - SRGB_GAMMA) <= GAMMA_TOLERANCE:
        return None
    require(MIN_GAMMA <= gamma <= MAX_GAMMA, f"a gamma of {MIN_GAMMA:g} to {MAX_GAMMA:g}", gamma, "save it as sRGB")
    light = (np.arange(256) / 255) ** (1 / gamma)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return [int(level) for level in (255 * curve).round()]


def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None without a profile, or with one that is damaged or for other channels."""
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if PROFILE_MODES.get(source.profile.xcolor_space) != mode:
            return None
        # littlecms would replace the curve of grey by 33 points: up to 12 levels off in the shadows of a linear one
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        return ImageCms.buildTransform(source, SRGB, mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError):
        return None


def bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The rows of a picture, some at a time: which they are, and their samples."""
    step = max(BAND_PX // image.width, 1)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
