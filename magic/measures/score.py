"""All measures of one collage at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from magic.measures.fidelity import colour_shift, content_fidelity
from magic.measures.pieces import cuts, largest_share, mean_entropy
from magic.measures.style_distance import style_distance

CELLS_PX = (8, 16, 32)
"""Sides of the cells in which `score` compares content, in pixels; training compares cells of 8 pixels by default
(LossConfig.content_cell_px)."""


def score(
    picture: UInt8[ndarray, "H W 3"],
    styles: Sequence[UInt8[ndarray, "_ _ 3"]],
    content: UInt8[ndarray, "_ _ 3"] | None = None,
    weights: Float[ndarray, "K h w"] | None = None,
) -> dict[str, float]:
    """All measures of one collage, under names that MLflow accepts.

    Args:
        picture: the collage.
        styles: the pictures that it was made from.
        content: what it should resemble, in the picture's size and at least 32 x 32 pixels (the largest of CELLS_PX);
            None: fidelity is not measured.
        weights: A; None: cuts are not measured. If it has another resolution than the picture, cuts are measured in
            pixels of A.

    Raises:
        ValueError: for the reasons that `style_distances` and `content_fidelity` give.
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
        measured["largest_share"] = largest_share(weights)  # of A itself, not of its labels as in `cuts`
    return measured
