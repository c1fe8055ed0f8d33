"""Warps: where each pixel of an element is taken from (Jaderberg et al. 2015; the paper's section on warping).

A warp is a displacement in pixels, down and right, at every pixel of a box of the canvas, so that a tile samples
exactly what the whole pass samples: places are whole numbers of the canvas plus a displacement, never fractions of
whatever is at hand. Beyond the canvas its mirror image continues.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from magic.geometry import Box
from magic.hyperparameters import Warp

AFFINE_GAIN = 0.25  # turning and scaling move a point by at most this share of its distance from the centre, twice
NUM_PLANES: dict[Warp, int] = {"none": 0, "affine": 6, "flow": 2}


def displacement(
    kind: Warp, planes: Float[Tensor, "N P h w"], reach_px: float, box: Box, canvas: Box
) -> Float[Tensor, "N 2 h w"]:
    """The displacement that a network's planes mean; none where they are zero.

    Args:
        kind: flow: one plane per direction. affine: six planes, each constant over the canvas: the shift, and a
            2x2 matrix that acts on the distance from the canvas' centre.
        planes: what the network says over the box.
        reach_px: the longest flow, or shift, along one axis.
        box: where on the canvas.
        canvas: all of it.
    """
    bounded = planes.float().tanh()
    shift = reach_px * bounded[:, :2]
    if kind == "flow":
        return shift
    rows, columns = (axis.float() for axis in _grid(box, planes.device))
    down = rows - (canvas.height - 1) / 2
    right = columns - (canvas.width - 1) / 2
    linear = AFFINE_GAIN * bounded[:, 2:]
    return shift + linear[:, :2] * down + linear[:, 2:] * right


class Neighbours(NamedTuple):
    """The four pixels around every displaced place, and how far it lies between them."""

    rows: Int[Tensor, "2 N h w"]
    """Rows of the canvas above and below."""
    columns: Int[Tensor, "2 N h w"]
    """Columns of the canvas to the left and right."""
    below: Float[Tensor, "N h w"]
    """Share of the lower row."""
    right: Float[Tensor, "N h w"]
    """Share of the right column."""

    @property
    def box(self) -> Box:
        """What has to be known of the canvas, or of the pictures on it."""
        spans = [(int(axis.min()), int(axis.max()) + 1) for axis in (self.rows, self.columns)]
        return Box(spans[0][0], spans[1][0], spans[0][1], spans[1][1])


def neighbours(field: Float[Tensor, "N 2 h w"], box: Box, canvas: Box) -> Neighbours:
    """Where on the canvas a displaced box looks."""
    axes = []
    for axis, grid, length in zip((0, 1), _grid(box, field.device), (canvas.height, canvas.width), strict=True):
        moved = field[:, axis]
        whole = moved.detach().floor()
        first = grid + whole.long()
        axes.append((torch.stack([_mirrored(first, length), _mirrored(first + 1, length)]), moved - whole))
    (rows, below), (columns, right) = axes
    return Neighbours(rows, columns, below, right)


def sample(pictures: Float[Tensor, "N C y x"], place: Box, at: Neighbours) -> Float[Tensor, "N C h w"]:
    """Bilinear samples of pictures that lie at a place of the canvas; that place must hold at.box."""
    n, c, _, width = pictures.shape
    flat = pictures.flatten(2)

    def pixels(row: int, column: int) -> Tensor:
        index = (at.rows[row] - place.top) * width + (at.columns[column] - place.left)
        return flat.gather(2, index.view(n, 1, -1).expand(-1, c, -1)).view(n, c, *index.shape[1:])

    below, right = (share[:, None].to(pictures) for share in (at.below, at.right))
    upper = torch.lerp(pixels(0, 0), pixels(0, 1), right)
    lower = torch.lerp(pixels(1, 0), pixels(1, 1), right)
    return torch.lerp(upper, lower, below)


def _grid(box: Box, device: torch.device) -> tuple[Tensor, Tensor]:
    rows = torch.arange(box.top, box.bottom, device=device)[:, None]
    return rows.expand(-1, box.width), torch.arange(box.left, box.right, device=device).expand(box.height, -1)


def _mirrored(places: Tensor, length: int) -> Tensor:
    """Where places of an axis fall when it is mirrored at both ends, as magic.memory.mirrored does."""
    period = max(2 * length - 2, 1)
    places = places % period
    return torch.minimum(places, period - places) if length > 1 else torch.zeros_like(places)
