"""Pixel values: 8-bit levels and the networks' range of [-1, 1], and luminance."""

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from numpy import ndarray
from torch import Tensor

LEVEL = 127.5
"""8-bit levels to a unit of [-1, 1]."""
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def luminance(image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Luma of an RGB picture, in the picture's own range."""
    weights = torch.tensor(LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def from_uint8(pixels: UInt8[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """8-bit levels 0..255 to [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(image: Float[Tensor, "*dims"]) -> UInt8[Tensor, "*dims"]:
    """[-1, 1] to the nearest 8-bit level; values outside are clipped."""
    return image.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def luminance_levels(picture: UInt8[ndarray, "H W 3"]) -> Float64[ndarray, "H W"]:
    """Luma in 8-bit levels, 0 to 255."""
    luma: Float64[ndarray, "H W"] = picture @ np.array(LUMA)
    return luma
