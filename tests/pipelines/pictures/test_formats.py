"""Right pixels of files that readers get wrong, and the names of kinds that are not read."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from pipelines.pictures.decoding import decode
from tests.conftest import textured
from tests.hostile.files import second_reader
from tests.hostile.files.png_files import chunk, grey_profile, png, profile_chunk
from tests.hostile.files.valid_picture import gamma_levels, in_three, on_white

RGB = textured(np.random.default_rng(0), 24, 36)
GREY = RGB[..., 0]
RAMP = np.arange(256, dtype=np.uint8)[None]


def tiff(values, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_sixteen_bit_grey_counts_from_black_or_from_white(photometric):
    data = tiff(GREY.astype(np.uint16) * 257, photometric=photometric)
    levels = 255 - GREY if photometric == "miniswhite" else GREY
    assert np.array_equal(decode(data), in_three(levels))
    assert np.array_equal(decode(data), second_reader.read(data))


def test_twelve_bits_are_no_sixteen():
    values = np.arange(0, 4096, 16, dtype=np.uint16)[None].repeat(2, 0)
    pairs = values.reshape(2, -1, 2).astype(int)
    packed = np.stack([pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255], -1)
    data = bytearray(tiff(packed.astype(np.uint8).reshape(2, -1), photometric="minisblack"))
    for tag, old, new in ((256, 384, 256), (258, 8, 12)):  # the width, and the bits of each sample
        place = data.index(struct.pack("<H", tag), 4)
        where = place + 8
        assert struct.unpack_from("<H", data, where) == (old,)
        struct.pack_into("<H", data, where, new)
    assert np.array_equal(decode(bytes(data))[0, :, 0], RAMP[0])


@pytest.mark.parametrize(
    ("values", "options", "kind"),
    [
        (
            RGB.transpose(2, 0, 1).astype(np.uint16),
            {"photometric": "rgb", "planarconfig": "separate"},
            "separate planes",
        ),
        (GREY.astype(np.uint32), {}, "32-bit integer samples"),
        (GREY.astype(np.int16), {}, "signed, complex or floating-point samples"),
        (GREY.astype(np.int32), {}, "signed, complex or floating-point samples"),
        (GREY.astype(np.int8), {}, "signed, complex or floating-point samples"),
        (GREY.astype(np.float32), {}, "signed, complex or floating-point samples"),
        (RGB, {"photometric": "cielab"}, "PhotometricInterpretation 8"),
        (np.dstack([RGB, GREY]), {"photometric": "separated", "extratags": [(332, 3, 1, 2, True)]}, "inks other than"),
        (RGB, {"photometric": "rgb", "bigtiff": True, "byteorder": ">"}, "a BigTIFF in big-endian order"),
    ],
)
def test_samples_that_pillow_reads_wrongly_are_refused_by_name(values, options, kind):
    with pytest.raises(ValueError, match=kind):
        decode(tiff(values, **({"photometric": "minisblack"} | options)))


@pytest.mark.parametrize("channels", ["LA", "tRNS", "LA of 16 bits"])
def test_a_grey_profile_counts_beside_transparency(channels):
    alpha = np.full((1, 256), 255, np.uint8)
    alpha[0, 100] = 0
    profile = profile_chunk(grey_profile(1.0))
    if channels == "tRNS":
        data = png(RAMP, 0, 8, chunks=profile + chunk(b"tRNS", struct.pack(">H", 100)))
    else:
        factor, depth = (257, 16) if "16" in channels else (1, 8)
        data = png(np.dstack([RAMP, alpha]).astype(np.uint16) * factor, 4, depth, chunks=profile)
    expected = on_white(gamma_levels(1.0)[RAMP], alpha)
    assert np.abs(decode(data).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_grey_is_a_sample_of_the_file(depth):
    values = np.arange(min(2**depth, 256), dtype=np.uint16)[None]
    data = png(values, 0, depth, chunks=chunk(b"tRNS", struct.pack(">H", 1)))
    shown = decode(data)[0, :, 0]
    assert shown[1] == 255
    assert shown[0] == 0


@pytest.mark.parametrize("gamma", [0.3, 0.55, 1.0])
def test_a_gamma_is_applied_unless_the_file_says_that_it_is_srgb(gamma):
    content = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    assert np.array_equal(decode(png(RAMP, 0, 8, chunks=content))[..., 0], gamma_levels(gamma)[RAMP])
    assert np.array_equal(decode(png(RAMP, 0, 8, chunks=content + chunk(b"sRGB", b"\0")))[..., 0], RAMP)
    usual = chunk(b"gAMA", struct.pack(">I", 45455))
    assert np.array_equal(decode(png(RAMP, 0, 8, chunks=usual))[..., 0], RAMP)


def test_colours_that_are_not_srgb_are_refused_by_name():
    pq, srgb = chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"cICP", bytes([1, 13, 0, 1]))
    wide = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600))
    assert np.array_equal(decode(png(RGB, 2, 8, chunks=srgb)), RGB)
    for content, name in ((pq, r"cICP \(9, 16, 0, 1\)"), (wide, "cHRM")):
        with pytest.raises(ValueError, match=name):
            decode(png(RGB, 2, 8, chunks=content))
    avif = saved(Image.fromarray(RGB), "AVIF", subsampling="4:4:4")
    place = avif.index(b"colrnclx") + 8
    with pytest.raises(ValueError, match="primaries 9, transfer 16"):
        decode(avif[:place] + struct.pack(">HH", 9, 16) + avif[place + 4 :])
    assert np.abs(decode(avif).astype(int) - second_reader.read(avif)).max() <= 4


def test_a_profile_within_a_jpeg_2000_counts():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tmpX", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmpX", b"gXYZ", 1)
    data = saved(Image.new("RGB", (9, 9), (200, 20, 20)), "JPEG2000")
    header, box = data.index(b"jp2h"), data.index(b"colr")
    content = b"colr\2\0\0" + swapped
    (length,) = struct.unpack_from(">I", data, header - 4)
    data = (
        data[: header - 4]
        + struct.pack(">I", length - 15 + 4 + len(content))
        + data[header : box - 4]
        + struct.pack(">I", 4 + len(content))
        + content
        + data[box + 11 :]
    )
    red, green, _ = decode(data)[0, 0]
    assert green > 150 > 50 > red


@pytest.mark.parametrize("mark", [0, 1])
def test_the_picture_of_a_tiff_is_its_largest_page(mark):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB[:6, :8], photometric="rgb", subfiletype=mark, metadata=None)
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(255 - RGB, photometric="rgb", metadata=None)
        writer.write(np.zeros((90, 90), bool), photometric="minisblack", subfiletype=4, metadata=None)
    assert np.array_equal(decode(file.getvalue()), RGB)
    with pytest.raises(ValueError, match="smaller copies of a picture alone, as camera raw files have"):
        decode(tiff(RGB, photometric="rgb", subfiletype=1))


def test_jpeg_within_a_tiff():
    data = saved(Image.fromarray(RGB), "TIFF", compression="jpeg", quality=90)
    assert np.abs(decode(data).astype(int) - second_reader.read(data)).max() <= 3
    raw = saved(Image.fromarray(RGB).convert("YCbCr"), "TIFF")
    with pytest.raises(ValueError, match="YCbCr samples without JPEG compression"):
        decode(raw)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, which is not read; convert it to PNG or JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"<?xml version='1.0'?>\n<!-- a --><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"P6 9 9 255\n", "PPM"),
    ],
)
def test_formats_that_are_not_read_are_named(data, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        decode(data)
