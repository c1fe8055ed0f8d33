"""The U-Net of which both the mixing network and the refiner are made (appendix I)."""

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


class DownConv(nn.Conv2d):
    """5x5 convolution of stride 2: halves height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=2, padding=KERNEL // 2)

    def reads(self, span: Span) -> Span:
        """The input pixels that these output pixels depend on."""
        reach = KERNEL // 2
        return Span(2 * span.first - reach, 2 * span.last + reach)


class UpConv(nn.Module):
    """Nearest-neighbour upsampling by two, then a 5x5 convolution, computed as four 3x3 convolutions.

    Output pixel 2y+p reads the upsampled pixels 2y+p-2 .. 2y+p+2, which are only three different input pixels;
    taps that meet the same one are added up beforehand. Along one axis, with taps a b c d e::

        phase p=0:  (a+b) x[y-1] + (c+d) x[y] +   e   x[y+1]
        phase p=1:    a   x[y-1] + (b+c) x[y] + (d+e) x[y+1]

    That is 9 multiply-adds per output pixel instead of 25, and no upsampled tensor.
    """

    phase_taps: Tensor

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
        """The input pixels that these output pixels depend on."""
        reach = KERNEL // 2
        return Span((span.first - reach) // 2, (span.last + reach) // 2)


class Block(nn.Module):
    """Convolution, instance norm, ReLU and, in the mixing network, attention over the set."""

    def __init__(self, conv: DownConv | UpConv, channels: int, attention: SetAttention | None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = InstanceNorm(channels)
        self.attention = attention

    def stages(self, x: Tensor, num_elements: int) -> Stages:
        x = self.conv(x)
        given = yield x
        x = F.relu(self.norm(x, given))
        return x if self.attention is None else self.attention(x, num_elements)


class UNet(nn.Module):
    """Encoder, decoder and skips. The first block halves the input already; the head restores its size."""

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
        from_below = [2 * width for width in widths[:-1]] + [widths[-1]]  # the deepest has no skip beside it
        self.decoder = nn.ModuleList(
            Block(UpConv(from_below[level + 1], widths[level]), widths[level], attention(widths[level]))
            for level in reversed(range(depth - 1))
        )
        self.head = UpConv(from_below[0], out_channels)

    def stages(self, x: Tensor, num_elements: int = 1) -> Stages:
        """The forward pass as a coroutine over its norms: x [N I H W] -> [N O H W]."""
        held, skips = [x], []
        del x  # what is handed on must not stay: a pass that is kept at a norm holds all that this frame names
        for block in self.encoder:
            skips.append((yield from block.stages(held.pop(), num_elements)))  # type: ignore[operator]
            held.append(skips[-1])
        skips.pop()
        for block in self.decoder:
            above = yield from block.stages(held.pop(), num_elements)  # type: ignore[operator]
            held.append(torch.cat([above, skips.pop()], 1))
            del above
        return self.head(held.pop())  # type: ignore[no-any-return]

    @property
    def num_norms(self) -> int:
        """How many norms a forward pass meets."""
        return len(self.encoder) + len(self.decoder)

    def reads(self, span: Span, norm: int | None = None) -> Span:
        """The input pixels on which these pixels depend, followed back through the module graph.

        Args:
            span: of the output or, where a norm is named, of what that norm is about to normalise.
            norm: which, in the order of a forward pass.
        """
        depth = len(self.encoder)
        encoder, decoder = list(self.encoder), list(self.decoder)
        skipped = []
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
        """How far an aligned block of output sees, in pixels."""
        return halo_of(self.reads, 1 << len(self.encoder))

    def halo_of_norm(self, norm: int) -> Halo:
        """How far what a norm normalises sees, in pixels of the input; for statistics behind the last norm, `halo`."""
        if norm >= self.num_norms:
            return self.halo
        depth = len(self.encoder)
        level = norm if norm < depth else 2 * depth - 2 - norm
        multiple, factor = 1 << depth, 2 << level
        first, last = self.reads(Span(0, multiple // factor - 1), norm)
        return Halo(max(-first, 0), max(last - (multiple - 1), 0))
