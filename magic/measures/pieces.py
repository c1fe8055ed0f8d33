"""How a collage is cut: its pieces, and how evenly the templates share it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray
from scipy.sparse import coo_matrix  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]
from scipy.special import entr  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Segments:  # not a NamedTuple, which has a method `count`
    """The pieces of a collage: connected regions of one label, where each pixel has four neighbours."""

    count: int
    """Number of regions, 1 to H W."""
    mean_area_px: float
    """Mean area of a region, in pixels."""
    border_px: int
    """Length of all cuts: pairs of neighbouring pixels whose labels differ. The picture's edges do not count."""


def segments(labels: Integer[ndarray, "H W"]) -> Segments:
    """The pieces of a label map, for example of the argmax of A over K."""
    pixels = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
    same_right, same_down = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    starts = np.concatenate([pixels[:, :-1][same_right], pixels[:-1][same_down]])
    ends = np.concatenate([pixels[:, 1:][same_right], pixels[1:][same_down]])
    graph = coo_matrix((np.ones(len(starts), np.int8), (starts, ends)), shape=(labels.size, labels.size))
    count = int(connected_components(graph, directed=False, return_labels=False))
    return Segments(count, labels.size / count, same_right.size + same_down.size - len(starts))


def cuts(labels: Integer[ndarray, "H W"]) -> dict[str, float]:
    """Measures of a label map, whose labels count from 0: its pieces and the share of its most frequent label.

    Returns:
        The measures, under names that MLflow accepts.
    """
    pieces = segments(labels)
    return {
        "largest_share": float(np.bincount(labels.ravel()).max() / labels.size),
        "segments": float(pieces.count),
        "segment_area_px": pieces.mean_area_px,
        "segment_border_px": float(pieces.border_px),
    }


def mean_entropy(weights: Float[ndarray, "K H W"]) -> float:
    """Mean entropy of A over the pixels, in nats: 0 (one template at each pixel) to ln K (all templates everywhere)."""
    return sum(float(entr(plane.astype(np.float32)).mean(dtype=np.float64)) for plane in weights)


def largest_share(weights: Float[ndarray, "K H W"]) -> float:
    """The largest template's share of the picture, 1/K to 1."""
    return float(weights.mean((1, 2), dtype=np.float64).max())
