"""What the pipelines hand to a training step."""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class Batch(NamedTuple):
    """One step's crops, as 8-bit RGB: they are normalised on the device, where that costs least."""

    content: UInt8[Tensor, "B 3 H W"]
    """Content patches I_C."""
    templates: UInt8[Tensor, "B K 3 H W"]
    """Memory sets M: K style patches for each content patch."""
    style: UInt8[Tensor, "B 3 H W"]
    """Style patches that the discriminator takes as real."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def from_uint8(pixels: UInt8[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """8-bit levels 0..255 to [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(image: Float[Tensor, "*dims"]) -> UInt8[Tensor, "*dims"]:
    """[-1, 1] to the nearest 8-bit level; values outside are clipped."""
    return image.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
