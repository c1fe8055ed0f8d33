"""Instance norm whose statistics can be its input's own, or given: measured over a whole canvas, tile by tile.

A network with such norms is written as a coroutine (`Stages`). At each norm it yields the tensor that is about
to be normalised and receives the statistics to use, or None for the tensor's own. One text of the network so
serves three readers: a plain forward pass (`complete` without statistics), a tile of a poster (`complete` with
the canvas' statistics) and a sweep that measures one norm of one tile (`advance`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor, nn

from magic.tiles import Box


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations of every channel, in float64.

    N numbers the images that are normalised apart: the K elements in the mixing network, 1 in the refiner.
    """

    count: int
    mean: Float64[ndarray, "N C"]
    m2: Float64[ndarray, "N C"]

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both sets of pixels together (Chan, Golub, LeVeque 1979). Order matters to the last bit."""
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        m2 = self.m2 + other.m2 + delta**2 * (self.count * other.count / count)
        return Moments(count, mean, m2)

    def means_like(self, x: Tensor) -> Float[Tensor, "N C"]:
        """The means, on x's device and in its precision."""
        return torch.from_numpy(self.mean).to(x.device, x.dtype)

    @property
    def variance(self) -> Float64[ndarray, "N C"]:
        """Population variance, as instance norm uses it."""
        return self.m2 / self.count


Stages = Generator[Tensor, Moments | None, Tensor]


def measure(x: Float[Tensor, "N C h w"], core: Box) -> Moments:
    """Moments of x over the core, a box in x's own pixels."""
    rows, columns = core.slices
    pixels = x[:, :, rows, columns].flatten(2).double()  # [N C core]
    mean = pixels.mean(2)
    m2 = (pixels - mean[:, :, None]).square_().sum(2)
    return Moments(pixels.shape[2], mean.cpu().numpy(), m2.cpu().numpy())


class InstanceNorm(nn.Module):
    """Instance norm with a learned scale and shift (Ulyanov et al. 2016)."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "N C h w"], given: Moments | None) -> Float[Tensor, "N C h w"]:
        """Normalise x by given statistics, or by its own where none are given."""
        if given is None:
            if x.shape[2] * x.shape[3] == 1:  # its own mean: nothing deviates (torch refuses it)
                return (x - x) * self.weight[:, None, None] + self.bias[:, None, None]
            return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        mean = torch.from_numpy(given.mean).to(x.device)
        rstd = torch.from_numpy(1 / np.sqrt(given.variance + self.eps)).to(x.device)
        scale = self.weight * rstd  # float64: rounded once, below
        shift = self.bias - mean * scale
        return x * scale.to(x.dtype)[:, :, None, None] + shift.to(x.dtype)[:, :, None, None]


def complete(stages: Stages, statistics: Sequence[Moments] | None = None) -> Tensor:
    """Run a network to its end, with the statistics of all its norms or each with its input's own."""
    next(stages)
    try:
        for given in repeat(None) if statistics is None else statistics:
            stages.send(given)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError(f"{len(statistics or ())} statistics for more norms than that")


def advance(stages: Stages, statistics: Sequence[Moments]) -> Tensor:
    """Run a network up to the norm that follows the given ones; returns what it is about to normalise."""
    tensor = next(stages)
    for moments in statistics:
        tensor = stages.send(moments)
    return tensor
