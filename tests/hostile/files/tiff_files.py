"""TIFF files of many kinds of samples, orders, compressions and pages, written by tifffile."""

import io

import numpy as np
import tifffile
from PIL import Image

from tests.hostile.files.valid_picture import ValidPicture, eight_bits, from_cmyk, in_three, on_white, samples, upright

KINDS = ("grey", "white at zero", "rgb", "rgba", "premultiplied", "planar", "palette", "cmyk", "signed", "float")
PHOTOMETRIC = {
    "white at zero": "miniswhite",
    "rgb": "rgb",
    "rgba": "rgb",
    "premultiplied": "rgb",
    "planar": "rgb",
    "palette": "palette",
    "cmyk": "separated",
}
COMPRESSIONS = (None, "zlib", "lzw", "packbits", "zstd")


def tiff_file(rng: np.random.Generator) -> ValidPicture:
    """Any TIFF."""
    kind, bits = str(rng.choice(KINDS)), int(rng.choice([8, 8, 16, 32]))
    bits = 8 if kind == "palette" else bits
    channels = {"rgb": 3, "rgba": 4, "premultiplied": 4, "planar": 3, "cmyk": 4}.get(kind, 1)
    values = samples(rng, channels, np.uint32, 2**bits - 1).astype(f"uint{bits}")
    pixels, must_be_read, options = _meaning(rng, kind, bits, values)
    stored = {"signed": values.view(f"int{bits}"), "float": values.astype(np.float32)}.get(kind, values)
    stored = stored.transpose(2, 0, 1) if kind == "planar" else stored
    orientation = int(rng.choice([1, 1, *range(1, 9)]))
    compression = rng.choice(COMPRESSIONS)
    if rng.integers(3) == 0:
        options |= {"tile": (16, int(rng.choice([16, 64])))}
    elif rng.integers(2):
        options |= {"rowsperstrip": int(rng.integers(1, 9))}
    big, order, thumbnail = bool(rng.integers(4) == 0), str(rng.choice(["<", ">"])), int(rng.integers(4))
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=big, byteorder=order) as writer:
        if thumbnail == 0:  # marked as one, or not
            small = np.zeros((1, 1), np.uint8)
            writer.write(small, photometric="minisblack", subfiletype=int(rng.integers(2)), metadata=None)
        tags = [(274, 3, 1, orientation, True)]
        writer.write(stored, compression=compression, extratags=tags, metadata=None, **options)
    must_be_read &= bits < 32 and not (order == ">" and kind == "white at zero" and bits == 16)
    must_be_read &= not (big and order == ">")
    must_be_read &= thumbnail != 0 or pixels.shape[:2] != (1, 1)
    name = f"TIFF {kind} {bits} bits {compression} {options} {order}{' big' if big else ''} orientation {orientation}"
    return ValidPicture(
        name=name + " behind a thumbnail" * (thumbnail == 0),
        data=file.getvalue(),
        ending=".tif",
        pixels=upright(pixels, orientation),
        tolerance=2 if kind in ("rgba", "premultiplied", "cmyk") else 0,
        must_be_read=bool(must_be_read),
        is_compared=kind not in ("premultiplied", "cmyk") and thumbnail != 0,
    )


def bilevel_tiff_file(rng: np.random.Generator) -> ValidPicture:
    """A TIFF of one bit, compressed as faxes are, or not."""
    values = samples(rng, 1) > 127
    compression = str(rng.choice(["raw", "group3", "group4", "tiff_lzw", "packbits", "tiff_deflate"]))
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", compression=compression, tiffinfo={262: int(rng.integers(2))})
    return ValidPicture(
        name=f"TIFF of 1 bit {compression}",
        data=file.getvalue(),
        ending=".tiff",
        pixels=None,
    )


def _meaning(rng, kind: str, bits: int, values) -> tuple:
    """The pixels of samples, whether they have to be read, and options for tifffile."""
    options = {"photometric": PHOTOMETRIC.get(kind, "minisblack")}
    levels = eight_bits(values, bits)
    if kind == "white at zero":
        return in_three(255 - levels), True, options
    if kind == "palette":
        table = rng.integers(0, 256, (3, 256)).astype(np.uint16) * 257
        return (table.T[values] >> 8).astype(np.uint8), True, options | {"colormap": table}
    if kind == "cmyk":
        return from_cmyk(levels), True, options
    if kind == "planar":
        return levels, bits == 8, options | {"planarconfig": "separate"}
    if kind == "rgba":
        return on_white(levels[..., :3], levels[..., 3]), True, options | {"extrasamples": ["unassalpha"]}
    if kind == "premultiplied":
        values[..., :3] = (values[..., :3].astype(float) * (values[..., 3:] / (2.0**bits - 1))).astype(values.dtype)
        levels = eight_bits(values, bits)
        laid = (levels[..., :3].astype(int) + 255 - levels[..., 3:]).clip(0, 255).astype(np.uint8)
        return laid, True, options | {"extrasamples": ["assocalpha"]}
    return in_three(levels), kind in ("grey", "rgb"), options
