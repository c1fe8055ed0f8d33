"""Pixel values: 8-bit levels (0 to 255), the networks' range of [-1, 1], and luminance."""

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from numpy import ndarray
from torch import Tensor

LEVELS_PER_UNIT = 127.5
"""How many 8-bit levels make a difference of 1 in the networks' range: -1 is level 0, 1 is level 255."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""


def luminance(image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Luminance of an RGB picture, in the picture's own range."""
    weights = torch.tensor(LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def luminance_levels(picture: UInt8[ndarray, "H W 3"]) -> Float64[ndarray, "H W"]:
    """Luminance of an RGB picture in 8-bit levels, 0 to 255, not rounded."""
    luma: Float64[ndarray, "H W"] = picture @ np.array(LUMA)
    return luma


def from_uint8(pixels: UInt8[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """8-bit levels 0 to 255 as float32 in [-1, 1]."""
    return pixels.float().div_(LEVELS_PER_UNIT).sub_(1.0)


def to_uint8(image: Float[Tensor, "*dims"]) -> UInt8[Tensor, "*dims"]:
    """Values in [-1, 1] as the nearest 8-bit levels; values outside of that range are clipped."""
    return image.float().add(1.0).mul_(LEVELS_PER_UNIT).round_().clamp_(0, 255).to(torch.uint8)


def picture_of(planes: UInt8[Tensor, "3 H W"]) -> UInt8[ndarray, "H W 3"]:
    """A picture's planes, on whatever device, as an array of pixels."""
    picture: UInt8[ndarray, "H W 3"] = planes.permute(1, 2, 0).cpu().numpy()
    return picture
