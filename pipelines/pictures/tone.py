"""The tone of pictures: mean and spread of coarse luminance, and bringing a content picture into a style's tone.

A dark style cannot paint a bright content: everything brighter than the style would become one flat tone. Content is
therefore brought into the style's tone, in training and in painting alike. The tone is measured on luminance averaged
over cells that are as large as pieces of a collage, because most of a busy style's contrast lies within such cells. A
content with the same spread from pixel to pixel has nearly all of it between cells; it would be painted with the few
plain bright and dark pieces that the style has.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.pixels import LUMA

CELL_PX = 32


class Tone(NamedTuple):
    """Mean and standard deviation of luminance, averaged over cells of CELL_PX, in 8-bit levels."""

    mean: float
    deviation: float


def tone_of(picture: UInt8[ndarray, "H W 3"], cell_px: int = CELL_PX) -> Tone:
    """The tone of one picture. Of a shrunk picture, cell_px has to shrink with it."""
    luma = picture @ np.array(LUMA, np.float32)
    cell_y, cell_x = (min(cell_px, side) for side in luma.shape)
    rows, columns = luma.shape[0] // cell_y, luma.shape[1] // cell_x
    whole = luma[: rows * cell_y, : columns * cell_x].reshape(rows, cell_y, columns, cell_x)
    cells = whole.mean((1, 3), dtype=np.float64)
    return Tone(float(luma.mean(dtype=np.float64)), float(cells.std()))


def pooled(tones: Iterable[tuple[int, Tone]]) -> Tone:
    """The tone of several pictures together, each given with its number of pixels."""
    counts, means, deviations = (np.array(column, float) for column in zip(*((n, *t) for n, t in tones), strict=True))
    share = counts / counts.sum()
    mean = share @ means
    return Tone(float(mean), float(np.sqrt(share @ (deviations**2 + (means - mean) ** 2))))


def common_tone(pictures: Iterable[UInt8[ndarray, "_ _ 3"]]) -> Tone:
    """The tone of several pictures at hand."""
    return pooled((picture.shape[0] * picture.shape[1], tone_of(picture)) for picture in pictures)


def match_tone(picture: UInt8[ndarray, "H W 3"], own: Tone, target: Tone) -> UInt8[ndarray, "H W 3"]:
    """The picture, shifted and stretched from its own tone to the target tone. Values outside 0..255 are clipped."""
    gain = target.deviation / own.deviation if own.deviation > 0 else 1.0
    levels = (np.arange(256) - own.mean) * gain + target.mean
    matched: UInt8[ndarray, "H W 3"] = levels.round().clip(0, 255).astype(np.uint8)[picture]
    return matched
