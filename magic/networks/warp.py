"""Warps: where each pixel of an element is taken from (Jaderberg et al. 2015; the paper's section on warping).

A warp is a displacement in pixels, down and right, for every pixel of a box of the canvas. The place that a pixel is
taken from is a whole-numbered place of the canvas plus that displacement; it does not depend on the box. So a tile
samples exactly what one pass over the whole canvas samples. Beyond the canvas, elements continue mirrored.

To add a warp, give it an entry in WARPS and its name in `magic.hyperparameters.Warp`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from magic.geometry import Box
from magic.hyperparameters import Warp

AFFINE_GAIN = 0.25
"""Each entry of an affine warp's matrix is at most this: a point moves by at most this share of its distances from the
canvas' horizontal and vertical centre lines, added up, along each axis."""


def flow_displacement(
    planes: Float[Tensor, "N 2 h w"], reach_px: float, box: Box, canvas: Box
) -> Float[Tensor, "N 2 h w"]:
    """A displacement for each pixel by itself.

    Args:
        planes: of the mixing network over the box, one for each direction; zero means no displacement.
        reach_px: the longest displacement along one axis.
        box: where on the canvas; it does not matter here.
        canvas: the whole canvas; it does not matter here.
    """
    return reach_px * planes.float().tanh()


def affine_displacement(
    planes: Float[Tensor, "N 6 h w"], reach_px: float, box: Box, canvas: Box
) -> Float[Tensor, "N 2 h w"]:
    """One displacement for all of an element: a shift, and a 2x2 matrix applied to the distance from the centre.

    Args:
        planes: of the mixing network over the box, each constant over the canvas: two for the shift and four for the
            matrix; zero means no displacement.
        reach_px: the longest shift along one axis.
        box: where on the canvas.
        canvas: the whole canvas; its centre stays where it is but for the shift.
    """
    bounded = planes.float().tanh()
    rows, columns = (axis.float() for axis in _grid(box, planes.device))
    down = rows - (canvas.height - 1) / 2
    right = columns - (canvas.width - 1) / 2
    matrix = AFFINE_GAIN * bounded[:, 2:]
    return reach_px * bounded[:, :2] + matrix[:, :2] * down + matrix[:, 2:] * right


@dataclass(frozen=True, kw_only=True, slots=True)
class WarpKind:
    """What there is to know of a warp."""

    num_planes: int
    """Planes that the mixing network yields for each element, beside its logits."""
    displacement: Callable[[Tensor, float, Box, Box], Tensor] | None
    """The displacement that the planes mean, as `flow_displacement` does it; None where elements are not moved. It must
    be zero for planes of zeros: a generator begins training with these."""
    averages_planes: bool = False
    """Whether the planes are replaced by their means over the whole canvas, which takes a statistics pass."""


WARPS: dict[Warp, WarpKind] = {
    "none": WarpKind(num_planes=0, displacement=None),
    "affine": WarpKind(num_planes=6, displacement=affine_displacement, averages_planes=True),
    "flow": WarpKind(num_planes=2, displacement=flow_displacement),
}


class Neighbours(NamedTuple):
    """The four pixels around every displaced place, and how the place lies between them."""

    rows: Int[Tensor, "2 N h w"]
    """Rows of the canvas above and below the place."""
    columns: Int[Tensor, "2 N h w"]
    """Columns of the canvas to the left and right of the place."""
    below: Float[Tensor, "N h w"]
    """Weight of the lower row, 0 to 1."""
    right: Float[Tensor, "N h w"]
    """Weight of the right column, 0 to 1."""

    @property
    def box(self) -> Box:
        """The smallest box of the canvas that holds all of these pixels."""
        spans = [(int(axis.min()), int(axis.max()) + 1) for axis in (self.rows, self.columns)]
        return Box(spans[0][0], spans[1][0], spans[0][1], spans[1][1])


def neighbours(field: Float[Tensor, "N 2 h w"], box: Box, canvas: Box) -> Neighbours:
    """The pixels of the canvas around the places that a box is taken from.

    Args:
        field: the displacement over the box, in pixels, down and right.
        box: where on the canvas.
        canvas: the whole canvas, which is mirrored at its edges.
    """
    axes = []
    for axis, grid, length in zip((0, 1), _grid(box, field.device), (canvas.height, canvas.width), strict=True):
        displacement = field[:, axis]
        whole = displacement.detach().floor()
        first = grid + whole.long()
        places = torch.stack([_mirrored(first, length), _mirrored(first + 1, length)])
        axes.append((places, displacement - whole))
    (rows, below), (columns, right) = axes
    return Neighbours(rows, columns, below, right)


def sample(pictures: Float[Tensor, "N C y x"], place: Box, at: Neighbours) -> Float[Tensor, "N C h w"]:
    """Bilinear samples of pictures.

    Args:
        pictures: a part of the canvas.
        place: which part; it must hold at.box.
        at: the pixels to sample from, with their weights.
    """
    n, c, _, width = pictures.shape
    flat = pictures.flatten(2)

    def pixels(row: int, column: int) -> Tensor:
        index = (at.rows[row] - place.top) * width + (at.columns[column] - place.left)
        return flat.gather(2, index.view(n, 1, -1).expand(-1, c, -1)).view(n, c, *index.shape[1:])

    below, right = (weight[:, None].to(pictures) for weight in (at.below, at.right))
    upper = torch.lerp(pixels(0, 0), pixels(0, 1), right)
    lower = torch.lerp(pixels(1, 0), pixels(1, 1), right)
    return torch.lerp(upper, lower, below)


def _grid(box: Box, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel of a box, each [h w]."""
    rows = torch.arange(box.top, box.bottom, device=device)[:, None]
    return rows.expand(-1, box.width), torch.arange(box.left, box.right, device=device).expand(box.height, -1)


def _mirrored(places: Tensor, length: int) -> Tensor:
    """Places of an axis of `length` pixels, mirrored at both ends, as magic.scene.memory.mirrored does it for numpy."""
    period = max(2 * length - 2, 1)
    places = places % period
    return torch.minimum(places, period - places) if length > 1 else torch.zeros_like(places)
