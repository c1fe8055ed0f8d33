"""Instance norm whose statistics can be its input's own, or given: measured over a whole canvas, tile by tile.

A network with such norms is written as a coroutine (`Stages`). At each norm it yields the tensor that is about
to be normalised and receives the statistics to use, or None for the tensor's own. One text of the network so
serves two readers: a plain forward pass (`complete`), and a tile of a poster that goes from norm to norm as the
canvas' statistics become known (`Pass`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor, nn

from magic.geometry import Box


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
        return torch.tensor(self.mean, device=x.device, dtype=x.dtype)

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
        if given is None and not torch.is_grad_enabled():  # as tiles measure it, to the same bits
            given = measure(x, Box(0, 0, *x.shape[2:]))
        if given is None:
            if x.shape[2] * x.shape[3] == 1:  # its own mean: nothing deviates (torch refuses it)
                return (x - x) * self.weight[:, None, None] + self.bias[:, None, None]
            return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        mean = torch.tensor(given.mean, device=x.device)
        rstd = torch.tensor(1 / np.sqrt(given.variance + self.eps), device=x.device)
        scale = self.weight * rstd  # float64: rounded once, below
        shift = self.bias - mean * scale
        return torch.addcmul(_plane(shift, x), x, _plane(scale, x)).to(x.dtype)


def _plane(values: Float64[Tensor, "N C"], x: Tensor) -> Tensor:
    """A value for each channel, in float32 at least: half of that would cost levels."""
    return values.to(torch.promote_types(x.dtype, torch.float32))[:, :, None, None]


def complete(stages: Stages) -> Tensor:
    """Run a network to its end, each norm with its input's own statistics."""
    next(stages)
    try:
        while True:
            stages.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class Pass:
    """A network on its way, stopped in front of a norm. It may be kept there and taken on later: all that it still
    needs of what it made is alive in its coroutine, and nothing else.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._reached = next(stages)
        self.num_given = 0
        """How many statistics it has had."""

    def reach(self, statistics: Sequence[Moments | None]) -> Tensor:
        """What the norm behind these statistics is about to normalise.

        Args:
            statistics: from the network's first on; those it has had are the same. None: the input's own.
        """
        for given in statistics[self.num_given :]:
            self._reached = self._stages.send(given)
            self.num_given += 1
        return self._reached

    def finish(self, statistics: Sequence[Moments | None]) -> Tensor:
        """What the network makes, given the statistics of all its norms."""
        self.reach(statistics[:-1])
        try:
            self._stages.send(statistics[-1])
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise AssertionError(f"{len(statistics)} statistics for more norms than that")
