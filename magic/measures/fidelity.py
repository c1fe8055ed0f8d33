"""How true a picture is to its content when it is seen from afar, and how far its mean colour is from another's."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from magic.checks import require
from magic.pixels import luminance_levels

SSIM_SIGMA = 1.5
"""Standard deviation of SSIM's window (Wang et al. 2004), in cells; the window ends after 5 cells (11 x 11)."""
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""SSIM's constants for a range of 255 (Wang et al. 2004)."""


class Fidelity(NamedTuple):
    """How much a picture resembles its content, seen from so far that each cell looks like a point."""

    correlation: float
    """Pearson's correlation of the cells' luminance, -1 to 1. Brightness and contrast of the whole do not count."""
    ssim: float
    """Structural similarity of the cells' luminance (Wang et al. 2004), -1 to 1. Brightness and contrast count."""


def content_fidelity(picture: UInt8[ndarray, "H W 3"], content: UInt8[ndarray, "_ _ 3"], cell_px: int) -> Fidelity:
    """Correlation and SSIM of the luminance of cells: squares of cell_px pixels.

    Incomplete cells at the right and lower edges are left out. At the borders SSIM's window sees the mirrored picture,
    so that pictures of less than 11 cells have a value, too. If all cells of a picture are equal, the correlation is
    not defined, and 0.0 is returned.

    Args:
        picture: the collage.
        content: what it should resemble, in the same size.
        cell_px: side of a cell, in pixels.

    Raises:
        ValueError: if the sizes differ, or the pictures are smaller than one cell.
    """
    require(
        picture.shape == content.shape,
        f"a content picture of {picture.shape[0]}x{picture.shape[1]} px like the picture",
        content.shape[:2],
        "resize the content to the picture",
    )
    require(
        1 <= cell_px <= min(picture.shape[:2]),
        f"cell_px in 1..{min(picture.shape[:2])}",
        cell_px,
        "choose cells that fit into the picture",
    )
    cells, expected = (_cell_means(luminance_levels(x), cell_px) for x in (picture, content))
    return Fidelity(_correlation(cells, expected), _ssim(cells, expected))


def _cell_means(plane: Float64[ndarray, "H W"], cell_px: int) -> Float64[ndarray, "h w"]:
    """Means over the complete cells."""
    rows, columns = (side // cell_px for side in plane.shape)
    cells = plane[: rows * cell_px, : columns * cell_px].reshape(rows, cell_px, columns, cell_px)
    means: Float64[ndarray, "h w"] = cells.mean((1, 3))
    return means


def _correlation(one: Float64[ndarray, "H W"], other: Float64[ndarray, "H W"]) -> float:
    """Pearson's correlation; 0.0 if a plane is constant up to rounding errors."""
    if min(one.std(), other.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _ssim(one: Float64[ndarray, "H W"], other: Float64[ndarray, "H W"]) -> float:
    """Mean structural similarity, equation 13 of Wang et al. 2004."""

    def smooth(plane: Float64[ndarray, "H W"]) -> Float64[ndarray, "H W"]:
        blurred: Float64[ndarray, "H W"] = gaussian_filter(plane, SSIM_SIGMA, truncate=3.5)
        return blurred

    mean_one, mean_other = smooth(one), smooth(other)
    var_one, var_other = smooth(one * one) - mean_one**2, smooth(other * other) - mean_other**2
    covariance = smooth(one * other) - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + SSIM_C1) / (mean_one**2 + mean_other**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (var_one + var_other + SSIM_C2)
    return float((luminance * structure).mean())


def colour_shift(picture: UInt8[ndarray, "H W 3"], other: UInt8[ndarray, "_ _ 3"]) -> float:
    """How far the mean colours of two pictures are apart, in the channel that differs most: 8-bit levels, 0 to 255."""
    return float(np.abs(picture.mean((0, 1)) - other.mean((0, 1))).max())
