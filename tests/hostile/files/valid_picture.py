"""What a made picture file is, and the colours that its samples stand for."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

MAX_SIDE_PX = 40
READABLE, MAYBE = True, False


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidPicture:
    """A picture file as its format wants it."""

    name: str
    data: bytes
    ending: str
    pixels: UInt8[ndarray, "H W 3"] | None
    """That have to be found in it, computed from what was written; None where a second reader has to say."""
    tolerance: int = 0
    """Levels by which each sample may differ."""
    must_be_read: bool = READABLE
    """Whether it may not be refused."""
    is_compared: bool = True
    """Whether the second reader does the same with its colours as our rules do."""


def samples(rng: np.random.Generator, channels: int, dtype: type = np.uint8, top: int = 255) -> ndarray:
    """A smooth picture with some noise, of samples from 0 to top."""
    height, width = rng.integers(1, MAX_SIDE_PX, 2)
    y, x = np.mgrid[:height, :width] / MAX_SIDE_PX
    slopes = rng.uniform(-1, 1, (2, channels))
    values = 0.5 + (y[..., None] - 0.5) * slopes[0] + (x[..., None] - 0.5) * slopes[1]
    values += rng.normal(0, rng.choice([0, 0.02, 0.3]), values.shape)
    values = (values.clip(0, 1) * top).round().astype(dtype)
    return values[..., 0] if channels == 1 else values


def eight_bits(values: ndarray, bits: int) -> UInt8[ndarray, "..."]:
    """Samples of so many bits as levels: the highest 8 bits, or spread over 0 to 255."""
    if bits >= 8:
        return (values >> (bits - 8)).astype(np.uint8)
    return (values.astype(int) * 255 // (2**bits - 1)).astype(np.uint8)


def in_three(levels: ndarray) -> UInt8[ndarray, "H W 3"]:
    """Grey as three equal channels."""
    return np.dstack([levels] * 3) if levels.ndim == 2 else levels


def on_white(levels: ndarray, alpha: ndarray) -> UInt8[ndarray, "H W 3"]:
    """Colours laid on white."""
    share = alpha[..., None] / 255
    return (in_three(levels) * share + 255 * (1 - share)).round().astype(np.uint8)


def from_cmyk(cmyk: ndarray) -> UInt8[ndarray, "H W 3"]:
    """The plain formula."""
    cmyk = cmyk.astype(int)
    return ((255 - cmyk[..., :3]) * (255 - cmyk[..., 3:]) / 255).round().astype(np.uint8)


def gamma_levels(gamma: float) -> UInt8[ndarray, "256"]:
    """For each level that is light to the power of gamma, the one of sRGB (IEC 61966-2-1)."""
    light = (np.arange(256) / 255) ** (1 / gamma)
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (curve * 255).round().astype(np.uint8)


def upright(pixels: ndarray, orientation: int) -> ndarray:
    """A stored picture as EXIF's orientation shows it."""
    turns = {3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}
    mirrored = np.fliplr(pixels) if orientation in (2, 4) else pixels
    turned = np.rot90(mirrored, turns.get(orientation, 0))
    return np.fliplr(turned) if orientation in (5, 7) else turned
