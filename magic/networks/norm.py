"""Instance norm with exact statistics over a canvas of any size, and networks that can stop before each norm.

Instance norm subtracts each channel's mean over the whole picture and divides by its deviation. A tile does not know
the whole picture, so a poster's tiles must not use statistics of their own: the tiles would not fit together.
Instead, a *statistics pass* runs over all tiles before the pixels are computed: every tile is computed up to one norm,
the moments of what arrives there are measured on the tile's core, and the moments of all tiles are merged. A network
of 9 norms takes 9 statistics passes, each with the results of those before it.

A network must therefore be able to stop before each norm. It is written as a coroutine, `Stages`: at each norm it
yields the tensor that is about to be normalised, waits, and receives the statistics to normalise with. Two functions
run such a coroutine:

- `complete` runs it to its end at once, each norm with the statistics of the tensor itself: a plain forward pass;
- `SuspendedPass` runs it from norm to norm, as the statistics of the canvas become known, and can be kept in between.
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
    """Number, mean and sum of squared deviations of a set of pixels, for every channel, in float64.

    N counts the pictures that are normalised apart: the K elements of the set in the mixing network, 1 in the refiner.
    The moments of two halves of a picture, merged, are those of the whole:

    >>> picture = torch.arange(32.0).view(1, 1, 4, 8)
    >>> left, right = measure(picture, Box(0, 0, 4, 4)), measure(picture, Box(0, 4, 4, 8))
    >>> merged, whole = left.merge(right), measure(picture, Box(0, 0, 4, 8))
    >>> merged.count, merged.mean.item(), merged.variance.item()
    (32, 15.5, 85.25)
    >>> whole.count, whole.mean.item(), whole.variance.item()
    (32, 15.5, 85.25)
    """

    count: int
    """Number of pixels, at least 1."""
    mean: Float64[ndarray, "N C"]
    m2: Float64[ndarray, "N C"]
    """Sum over the pixels of their squared deviation from the mean."""

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both sets of pixels together (Chan, Golub, LeVeque 1979).

        Another order of merging changes the last bits: whoever wants the same bits again keeps to one order.
        """
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        m2 = self.m2 + other.m2 + delta**2 * (self.count * other.count / count)
        return Moments(count, mean, m2)

    def means_like(self, x: Tensor) -> Float[Tensor, "N C"]:
        """The means as a tensor, on x's device and in its precision."""
        return torch.tensor(self.mean, device=x.device, dtype=x.dtype)

    @property
    def variance(self) -> Float64[ndarray, "N C"]:
        """Population variance (divided by the count, not by one less), as instance norm uses it."""
        return self.m2 / self.count


Stages = Generator[Tensor, Moments | None, Tensor]
"""A forward pass as a coroutine. It yields what each norm is about to normalise [N C h w], receives the moments to
normalise with, or None for those of the yielded tensor itself, and returns the network's output."""


def measure(x: Float[Tensor, "N C h w"], core: Box) -> Moments:
    """Moments of x over the core, a box in x's own pixels."""
    rows, columns = core.slices
    pixels = x[:, :, rows, columns].flatten(2).double()  # [N C core]
    mean = pixels.mean(2)
    m2 = (pixels - mean[:, :, None]).square_().sum(2)
    return Moments(pixels.shape[2], mean.cpu().numpy(), m2.cpu().numpy())


class InstanceNorm(nn.Module):
    """Instance norm with a learned scale and shift for each channel (Ulyanov et al. 2016)."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "N C h w"], statistics: Moments | None) -> Float[Tensor, "N C h w"]:
        """Normalise x with these statistics; None: with those of x itself."""
        if statistics is None and torch.is_grad_enabled():
            return self._by_own_statistics(x)
        if statistics is None:  # measured as tiles measure them, so that both give the same bits
            statistics = measure(x, Box(0, 0, *x.shape[2:]))
        mean = torch.tensor(statistics.mean, device=x.device)
        rstd = torch.tensor(1 / np.sqrt(statistics.variance + self.eps), device=x.device)
        scale = self.weight * rstd  # in float64, as the shift is: both are rounded once, by _plane
        shift = self.bias - mean * scale
        return torch.addcmul(_plane(shift, x), x, _plane(scale, x)).to(x.dtype)

    def _by_own_statistics(self, x: Tensor) -> Tensor:
        """With gradients through the statistics, for training."""
        if x.shape[2] * x.shape[3] == 1:  # one pixel is its own mean; torch refuses it
            return (x - x) * self.weight[:, None, None] + self.bias[:, None, None]
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def _plane(values: Float64[Tensor, "N C"], x: Tensor) -> Tensor:
    """A value for each channel [N C 1 1], in x's precision but at least float32: half precision would cost levels."""
    return values.to(torch.promote_types(x.dtype, torch.float32))[:, :, None, None]


def complete(stages: Stages) -> Tensor:
    """Run a network to its end, each norm with the statistics of its own input; returns the network's output."""
    next(stages)
    try:
        while True:
            stages.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class SuspendedPass:
    """A forward pass that has stopped before a norm and waits for the norm's statistics.

    It can be kept and continued later. It holds the tensors that the rest of the forward pass needs, and no others.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._arrived = next(stages)
        self.num_received = 0
        """How many statistics it has received."""

    def advance(self, statistics: Sequence[Moments | None]) -> Tensor:
        """Continue to the norm that comes after these statistics; returns what it is about to normalise, [N C h w].

        Args:
            statistics: one for each norm so far, from the network's first norm on, including those that the pass has
                received before. None: the statistics of what this norm is about to normalise.
        """
        for moments in statistics[self.num_received :]:
            self._arrived = self._stages.send(moments)
            self.num_received += 1
        return self._arrived

    def finish(self, statistics: Sequence[Moments | None]) -> Tensor:
        """Continue to the end; returns the network's output.

        Args:
            statistics: one for each norm of the network, as in `advance`.
        """
        self.advance(statistics[:-1])
        try:
            self._stages.send(statistics[-1])
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise AssertionError(f"{len(statistics)} statistics, but the network has more norms")
