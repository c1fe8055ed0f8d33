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
    height, width, _ = picture.shape
    cell_y, cell_x = min(cell_px, height), min(cell_px, width)
    columns, total, cells = width // cell_x, 0.0, []
    for top in range(0, height, cell_y):  # in rows of cells: the luminance of all takes five times a picture's memory
        luma = picture[top : top + cell_y] @ np.array(LUMA, np.float32)
        total += luma.sum(dtype=np.float64)
        if len(luma) == cell_y:
            cells.append(luma[:, : columns * cell_x].reshape(cell_y, columns, cell_x).mean((0, 2), dtype=np.float64))
    return Tone(float(total / (height * width)), float(np.std(cells)))


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
    levels = ((np.arange(256) - own.mean) * gain + target.mean).round().clip(0, 255).astype(np.uint8)
    matched = np.empty_like(picture)
    for row, matched_row in zip(picture, matched, strict=True):
        matched_row[:] = levels[row]  # one at a time: numpy widens what it looks up eightfold
    return matched
