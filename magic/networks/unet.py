"""The U-Net that is both the mixing network and the refiner (appendix I)."""

import math
from collections.abc import Callable
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from magic.geometry import Halo, Span, halo_of
from magic.networks.norm import InstanceNorm, Stages
from magic.networks.set_attention import SetAttention

KERNEL = 5
"""Side of all convolutions' kernels, in pixels (appendix I)."""


class DownConv(nn.Conv2d):
    """5x5 convolution of stride 2: halves height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=2, padding=KERNEL // 2)

    def reads(self, span: Span) -> Span:
        """The span of input pixels on which a span of output pixels depends."""
        reach = KERNEL // 2
        return Span(2 * span.first - reach, 2 * span.last + reach)


class UpConv(nn.Module):
    """Nearest-neighbour upsampling by two and then a 5x5 convolution, computed as four 3x3 convolutions.

    Along one axis, output pixel 2y+p depends on the upsampled pixels 2y+p-2 to 2y+p+2. Upsampling repeats each input
    pixel, so these are only three different ones, and the taps that meet the same input pixel can be added beforehand.
    With taps a b c d e::

        phase p=0:  (a+b) x[y-1] + (c+d) x[y] +   e   x[y+1]
        phase p=1:    a   x[y-1] + (b+c) x[y] + (d+e) x[y+1]

    Two phases along each axis make four convolutions. That is 9 multiply-adds per output pixel instead of 25, and the
    upsampled tensor is never stored.
    """

    phase_taps: Tensor
    """For each phase and each of the three input pixels, which of the five taps meet it: [2 3 5], zeros and ones."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        even = [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
        odd = [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
        self.register_buffer("phase_taps", torch.tensor([even, odd], dtype=torch.float32), persistent=False)

    def forward(self, x: Float[Tensor, "N I h w"]) -> Float[Tensor, "N O 2*h 2*w"]:
        """Double height and width."""
        taps = self.phase_taps
        kernels = torch.einsum("oiyx,pay,qbx->opqiab", self.weight, taps, taps)  # [O 2 2 I 3 3]
        phases = F.conv2d(x, kernels.flatten(0, 2), self.bias.repeat_interleave(4), padding=1)
        return F.pixel_shuffle(phases, 2)

    def reads(self, span: Span) -> Span:
        """The span of input pixels on which a span of output pixels depends."""
        reach = KERNEL // 2
        return Span((span.first - reach) // 2, (span.last + reach) // 2)


class Block(nn.Module):
    """Convolution, instance norm, ReLU and, in MAGIC's mixing network, attention over the set."""

    def __init__(self, conv: DownConv | UpConv, channels: int, attention: SetAttention | None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = InstanceNorm(channels)
        self.attention = attention

    def stages(self, x: Tensor, num_elements: int) -> Stages:
        """The forward pass as a coroutine that stops before the norm."""
        x = self.conv(x)
        statistics = yield x
        x = F.relu(self.norm(x, statistics))
        return x if self.attention is None else self.attention(x, num_elements)


class UNet(nn.Module):
    """Encoder, decoder and skip connections.

    The first block of the encoder already halves height and width; the head, which has no norm, restores them. Height
    and width of the input must be multiples of 2^depth.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        channels: of the first block; each deeper one has twice as many.
        depth: number of blocks in the encoder.
        attention: makes the attention that follows a block's norm, given its channels; None for no attention.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        channels: int,
        depth: int,
        attention: Callable[[int], SetAttention | None] = lambda channels: None,
    ) -> None:
        super().__init__()
        widths = [channels << level for level in range(depth)]
        self.encoder = nn.ModuleList(
            Block(DownConv(i, o), o, attention(o)) for i, o in zip([in_channels, *widths], widths, strict=False)
        )
        from_below = [2 * width for width in widths[:-1]] + [widths[-1]]  # the deepest block has no skip beside it
        self.decoder = nn.ModuleList(
            Block(UpConv(from_below[level + 1], widths[level]), widths[level], attention(widths[level]))
            for level in reversed(range(depth - 1))
        )
        self.head = UpConv(from_below[0], out_channels)

    def stages(self, x: Tensor, num_elements: int = 1) -> Stages:
        """The forward pass as a coroutine that stops before each norm: x [N I H W] -> [N O H W].

        Args:
            x: the input.
            num_elements: how many consecutive inputs make a set, within which attention works.
        """
        # A suspended pass keeps alive whatever this frame has a name for. Each tensor is therefore handed to a block
        # by taking it out of a list, so that no name is left for it here
        handed, skips = [x], []
        del x
        for block in self.encoder:
            skips.append((yield from block.stages(handed.pop(), num_elements)))  # type: ignore[operator]
            handed.append(skips[-1])
        skips.pop()
        for block in self.decoder:
            upsampled = yield from block.stages(handed.pop(), num_elements)  # type: ignore[operator]
            handed.append(torch.cat([upsampled, skips.pop()], 1))
            del upsampled
        return self.head(handed.pop())  # type: ignore[no-any-return]

    @property
    def num_norms(self) -> int:
        """How many norms a forward pass stops at."""
        return len(self.encoder) + len(self.decoder)

    def reads(self, span: Span, norm: int | None = None) -> Span:
        """The span of input pixels on which a span of pixels depends, followed back through the network's blocks.

        Args:
            span: of the output or, if a norm is given, of what that norm is about to normalise.
            norm: number of the norm, in the order of a forward pass.
        """
        depth = len(self.encoder)
        encoder, decoder = list(self.encoder), list(self.decoder)
        skipped = []  # spans that skip connections read, from the largest resolution to the smallest
        if norm is None:
            span = self.head.reads(span)
            skipped.append(span)
        else:
            encoder, decoder = encoder[: norm + 1], decoder[: max(norm + 1 - depth, 0)]
        for block in reversed(decoder):
            span = block.conv.reads(span)  # type: ignore[union-attr, operator]
            skipped.append(span)
        if skipped:
            skipped.pop()  # the deepest block has no skip beside it
        for block in reversed(encoder):
            span = block.conv.reads(span)  # type: ignore[union-attr, operator]
            span = span.union(skipped.pop()) if skipped else span
        return span

    @cached_property
    def halo(self) -> Halo:
        """How far around an aligned block of output the input matters, in pixels."""
        return halo_of(self.reads, 1 << len(self.encoder))

    def halo_of_norm(self, norm: int) -> Halo:
        """How far around a block of what a norm normalises the input matters, in pixels of the input.

        Args:
            norm: number of the norm, in the order of a forward pass; num_norms or more means the output, as in `halo`.
        """
        if norm >= self.num_norms:
            return self.halo
        depth = len(self.encoder)
        level = norm if norm < depth else 2 * depth - 2 - norm
        multiple, factor = 1 << depth, 2 << level
        first, last = self.reads(Span(0, multiple // factor - 1), norm)
        return Halo(max(-first, 0), max(last - (multiple - 1), 0))
