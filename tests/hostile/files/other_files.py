"""Files of the other formats, written by Pillow."""

import io

import imagecodecs
import numpy as np
from PIL import Image

from tests.hostile.files.png_files import SRGB_PROFILE
from tests.hostile.files.valid_picture import ValidPicture, eight_bits, from_cmyk, in_three, on_white, samples, upright


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def jpeg_file(rng: np.random.Generator) -> ValidPicture:
    channels, orientation = int(rng.choice([1, 3, 3, 4])), int(rng.choice([1, *range(1, 9)]))
    options = {
        "quality": int(rng.integers(30, 100)),
        "progressive": bool(rng.integers(2)),
        "subsampling": int(rng.integers(3)),
        "exif": _exif(orientation),
    }
    if channels == 3 and rng.integers(2):
        options |= {"icc_profile": SRGB_PROFILE}
    values = samples(rng, channels)
    image = Image.frombytes("CMYK", values.shape[1::-1], values.tobytes()) if channels == 4 else Image.fromarray(values)
    data = _saved(image, "JPEG", **options)
    inverted = imagecodecs.jpeg8_decode(data) if channels == 4 else None  # as Adobe writes CMYK
    return ValidPicture(
        name=f"JPEG of {channels} orientation {orientation}",
        data=data,
        ending=".jfif",
        pixels=None if inverted is None else upright(from_cmyk(255 - inverted), orientation),
        tolerance=3,
        is_compared=channels != 4,
    )


def webp_file(rng: np.random.Generator) -> ValidPicture:
    lossless, channels = bool(rng.integers(2)), int(rng.choice([3, 4]))
    values, orientation = samples(rng, channels), int(rng.choice([1, 6]))
    image, options = Image.fromarray(values), {"lossless": lossless, "exact": True, "exif": _exif(orientation)}
    if rng.integers(4) == 0:
        options |= {"save_all": True, "append_images": [Image.fromarray(255 - values)]}
    pixels = upright(on_white(values[..., :3], values[..., 3]) if channels == 4 else values, orientation)
    return ValidPicture(
        name=f"WebP of {channels} {'lossless' if lossless else 'lossy'}",
        data=_saved(image, "WEBP", **options),
        ending=".webp",
        pixels=pixels if lossless else None,
        tolerance=1 if lossless else 3,
    )


def gif_file(rng: np.random.Generator) -> ValidPicture:
    indices = samples(rng, 1, top=int(rng.choice([1, 15, 255])))
    table = rng.integers(0, 256, (256, 3), np.uint8)
    image = Image.fromarray(indices).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(table.tobytes())
    clear = int(indices[0, 0]) if rng.integers(2) else None
    options = {} if clear is None else {"transparency": clear}
    if rng.integers(3) == 0:
        options |= {"save_all": True, "append_images": [image.rotate(180)], "duration": 50}
    alpha = np.full(indices.shape, 255, np.uint8) if clear is None else np.where(indices == clear, 0, 255)
    return ValidPicture(
        name=f"GIF transparent {clear}",
        data=_saved(image, "GIF", interlace=int(rng.integers(2)), optimize=False, **options),
        ending=".gif",
        pixels=on_white(table[indices], alpha),
    )


def bmp_file(rng: np.random.Generator) -> ValidPicture:
    mode = str(rng.choice(["1", "L", "RGB", "RGBA"]))
    values = samples(rng, {"RGB": 3, "RGBA": 4}.get(mode, 1))
    image = Image.fromarray(values).convert(mode)
    levels = np.asarray(image.convert("L")) if mode in ("1", "L") else values
    pixels = in_three(levels)[..., :3]  # a fourth byte means nothing in a file that does not say so
    return ValidPicture(name=f"BMP {mode}", data=_saved(image, "BMP"), ending=".bmp", pixels=pixels)


def jpeg2000_file(rng: np.random.Generator) -> ValidPicture:
    mode = str(rng.choice(["L", "LA", "RGB", "RGBA", "I;16"]))
    bits = 16 if mode == "I;16" else 8
    values = samples(rng, {"RGB": 3, "RGBA": 4, "LA": 2}.get(mode, 1), np.uint16, 2**bits - 1)
    levels = eight_bits(values, bits)
    image = Image.fromarray(values if bits == 16 else levels)
    pixels = levels
    if mode.endswith("A"):
        colours = levels[..., :-1]
        pixels = on_white(colours[..., 0] if mode == "LA" else colours, levels[..., -1])
    return ValidPicture(
        name=f"JPEG 2000 {mode}",
        data=_saved(image, "JPEG2000", no_jp2=bool(rng.integers(2)) and mode != "LA"),
        ending=".jp2",
        pixels=in_three(pixels),
        tolerance=1,
    )


def avif_file(rng: np.random.Generator) -> ValidPicture:
    channels, orientation = int(rng.choice([3, 4])), int(rng.choice([1, 3, 6, 8]))
    image = Image.fromarray(samples(rng, channels))
    options = {"quality": 90, "subsampling": "4:4:4", "speed": 10, "exif": _exif(orientation)}
    data = _saved(image, "AVIF", **options)
    return ValidPicture(name=f"AVIF of {channels}", data=data, ending=".avif", pixels=None, tolerance=4)
