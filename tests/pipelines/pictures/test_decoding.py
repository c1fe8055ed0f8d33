import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipelines.pictures.decoding import decode
from pipelines.pictures.picture_urls import list_pictures
from tests.conftest import textured

RGB = textured(np.random.default_rng(0), 24, 36)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_rgb_is_left_alone():
    assert np.array_equal(decode(encoded(Image.fromarray(RGB))), RGB)


def test_exif_turns_the_picture_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show rotated by 90 degrees clockwise
    turned = decode(encoded(Image.fromarray(RGB), exif=exif))
    assert np.array_equal(turned, np.rot90(RGB, -1))


def test_grey_becomes_three_equal_channels():
    grey = RGB[..., 0]
    assert np.array_equal(decode(encoded(Image.fromarray(grey))), np.dstack([grey] * 3))


def test_a_palette_is_looked_up():
    image = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(decode(encoded(image)), np.array(image.convert("RGB")))


def test_alpha_is_laid_on_white():
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:8, :, 3], rgba[8:16, :, 3] = 0, 128
    shown = decode(encoded(Image.fromarray(rgba)))
    assert (shown[:8] == 255).all()
    half = RGB[8:16] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(shown[8:16] - half).max() <= 1
    assert np.array_equal(shown[16:], RGB[16:])


def test_a_transparent_palette_colour_is_laid_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    assert decode(encoded(image, transparency=0)).tolist() == [[[255, 255, 255], [0, 0, 255]]]


def test_sixteen_bits_keep_their_high_byte():
    grey = (RGB[..., 0].astype(np.uint16) << 8) + 77
    shown = decode(encoded(Image.fromarray(grey)))
    assert np.array_equal(shown, np.dstack([RGB[..., 0]] * 3))


def test_cmyk_becomes_rgb():
    cmyk = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    shown = decode(encoded(cmyk, "JPEG", quality=95))[20, 20]
    assert shown[0] > 200
    assert shown[1:].max() < 60


def test_a_profile_is_applied_and_a_broken_one_ignored():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = decode(encoded(Image.fromarray(RGB), icc_profile=lab))
    assert np.abs(same.astype(int) - RGB).max() <= 1
    # swap the red and the green primaries' tags: colours must swap with them
    swapped = lab.replace(b"rXYZ", b"tmpX", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmpX", b"gXYZ", 1)
    red = Image.new("RGB", (4, 4), (200, 20, 20))
    shown = decode(encoded(red, icc_profile=swapped))[0, 0]
    assert shown[1] > shown[0]
    assert decode(encoded(red, icc_profile=b"no profile")).tolist()[0][0] == [200, 20, 20]


def test_scaling_keeps_the_aspect():
    assert decode(encoded(Image.fromarray(RGB)), scale=0.5).shape == (12, 18, 3)
    assert decode(encoded(Image.fromarray(RGB)), scale=2.0).shape == (48, 72, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_pictures_are_refused(kind):
    whole = encoded(Image.fromarray(textured(np.random.default_rng(1), 200, 200)), kind)
    with pytest.raises(ValueError, match=f"a damaged {kind}"):
        decode(whole[: len(whole) // 2])


def test_bombs_are_refused_before_they_unpack():
    with pytest.raises(ValueError, match=r"read with 10 MB of memory, .* got 'one that takes 144 MB'"):
        decode(encoded(Image.new("1", (4000, 4000))), max_bytes=10_000_000)
    with pytest.raises(ValueError, match="read with 10 MB of memory"):
        decode(encoded(Image.fromarray(RGB)), scale=100.0, max_bytes=10_000_000)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"^no picture$"):
        decode(b"hello")
    with pytest.raises(ValueError, match=r"^an empty file$"):
        decode(b"")


def test_a_name_that_looks_like_a_glob_is_a_name_first(pictures, tmp_path):
    odd = tmp_path / "a[1].png"
    odd.write_bytes((pictures / "style" / "0.png").read_bytes())
    assert list_pictures([str(odd)]) == [str(odd)]


def test_files_folders_and_globs(pictures):
    style = [f"{pictures}/style/{i}.png" for i in range(3)]
    assert list_pictures([str(pictures / "style")]) == style
    assert list_pictures([f"{pictures}/style/*.png", style[0]]) == style
    assert list_pictures([str(pictures / "style" / "1.png")]) == style[1:2]
    assert len(list_pictures([str(pictures)])) == 4


def test_urls_that_lead_nowhere(tmp_path):
    for urls, message in (
        ([], "at least one URL"),
        ([str(tmp_path / "nope")], "pictures at .*nope"),
        ([str(tmp_path)], "got none .no file"),
        (["nowhere://x"], "chains of protocols are not taken"),
        ([f"{tmp_path}/*.png"], "pictures at"),
    ):
        with pytest.raises(ValueError, match=message):
            list_pictures(urls)
