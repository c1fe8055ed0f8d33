"""libvips, asked for the same as our decoder: upright, in sRGB, 8 bits, on white."""

import struct

import numpy as np
import pyvips
from jaxtyping import UInt8
from numpy import ndarray

LEVELS = {"ushort": 256, "uchar": 1}


def read(data: bytes) -> UInt8[ndarray, "H W 3"] | None:
    """A picture as libvips reads it; None where it refuses it, warns, or has no rule for its samples."""
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="warning").autorot()
        if image.format not in LEVELS or image.interpretation in ("cmyk", "lab", "labs"):
            return None
        if image.get_typeof("icc-profile-data"):
            image = image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
        elif image.format == "ushort":
            image = (image >> 8).cast("uchar").copy(interpretation="srgb" if image.bands > 2 else "b-w")
        if image.bands in (2, 4):
            image = image.flatten(background=255)
        levels = np.asarray(image.numpy())
    except pyvips.Error:
        return None
    if data.startswith(b"GIF8") and levels.shape[:2] != struct.unpack("<HH", data[6:10])[::-1]:
        return None  # libvips cuts a screen that is much larger than what is on it
    levels = levels.reshape(*levels.shape[:2], -1)
    return np.dstack([levels[..., 0]] * 3) if levels.shape[2] == 1 else levels[..., :3]
