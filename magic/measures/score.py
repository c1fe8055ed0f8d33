"""Measures of a finished collage: how close to its styles, how true to its content, how it is cut.

Pictures are RGB in 8-bit levels, 0 to 255. Nothing here is a loss: see magic.training.losses for what is trained.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from magic.measures.fidelity import colour_shift, content_fidelity
from magic.measures.pieces import cuts, largest_share, mean_entropy
from magic.measures.style_distance import style_distance

CELLS_PX = (8, 16, 32)
"""Sides of the squares at which `score` compares content; training compares at 8 (LossConfig.content_cell_px)."""


def score(
    picture: UInt8[ndarray, "H W 3"],
    styles: Sequence[UInt8[ndarray, "_ _ 3"]],
    content: UInt8[ndarray, "_ _ 3"] | None = None,
    weights: Float[ndarray, "K h w"] | None = None,
) -> dict[str, float]:
    """All measures of one collage, under names that MLflow accepts.

    Args:
        picture: the collage.
        styles: the pictures it was made from.
        content: what it should resemble, in the picture's size; left out, nothing is said of content.
        weights: A; left out, nothing is said of cuts. At another resolution than the picture's, its pixels count.

    Raises:
        ValueError: as `style_distances` and `content_fidelity` do; content needs at least 32 px (CELLS_PX).
    """
    measured = {"style_distance": style_distance(picture, styles)}
    pooled = np.concatenate([style.reshape(1, -1, 3) for style in styles], axis=1)
    measured["colour_shift"] = colour_shift(picture, pooled)
    if content is not None:
        for cell_px in CELLS_PX:
            fidelity = content_fidelity(picture, content, cell_px)
            measured[f"content_correlation_{cell_px}px"] = fidelity.correlation
            measured[f"content_ssim_{cell_px}px"] = fidelity.ssim
    if weights is not None:
        measured |= {"entropy": mean_entropy(weights), **cuts(weights.argmax(0))}
        measured["largest_share"] = largest_share(weights)  # of the weights themselves
    return measured
