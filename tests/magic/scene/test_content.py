import numpy as np
import pytest
from PIL import Image

from magic.geometry import Box
from magic.scene.content import Content
from tests.conftest import textured

SIZES = [(60, 80), (97, 131), (301, 402), (23, 17), (7, 300), (1, 1), (90, 120)]


@pytest.fixture(scope="module")
def source():
    return textured(np.random.default_rng(0), 60, 80)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_windows_are_parts_of_one_picture(source, height, width):
    """Whatever the window, a place shows the same pixel; also at ties, which the factor 1.5 makes."""
    content = Content(source, height, width)
    whole = content.window(Box(0, 0, height, width))
    rng = np.random.default_rng(height)
    for _ in range(20):
        top, bottom = sorted(rng.integers(0, height + 1, 2))
        left, right = sorted(rng.integers(0, width + 1, 2))
        if top < bottom and left < right:
            part = content.window(Box(int(top), int(left), int(bottom), int(right)))
            assert np.array_equal(part, whole[top:bottom, left:right])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_it_is_pillows_lanczos(source, height, width):
    """The common resize, which needs all of the result in memory."""
    shown = Content(source, height, width).window(Box(0, 0, height, width)).astype(int)
    expected = np.array(Image.fromarray(source).resize((width, height), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(shown - expected).max() <= 1  # Pillow rounds between its two passes


def test_beyond_the_edges_it_is_mirrored(source):
    content = Content(source, 120, 170)
    whole = content.window(Box(0, 0, 120, 170))
    padded = np.pad(whole, ((30, 200), (40, 9), (0, 0)), mode="reflect")
    assert np.array_equal(content.window(Box(-30, -40, 320, 179)), padded)
    same = Content.of(source)
    assert np.array_equal(same.window(Box(0, 0, 60, 80)), source)


def test_a_small_version_is_never_larger_than_told(source):
    assert Content(source, 6000, 8000).small(1000).shape == (750, 1000, 3)
    assert Content(source, 6000, 8000).small(40).shape == (30, 40, 3)
    assert Content(source, 30, 40).small(1000).shape == (30, 40, 3)


def test_a_tall_source_is_read_in_bands():
    tall = textured(np.random.default_rng(1), 1300, 40)
    shown = Content(tall, 100, 13).window(Box(0, 0, 100, 13)).astype(int)
    expected = np.array(Image.fromarray(tall).resize((13, 100), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(shown - expected).max() <= 1
