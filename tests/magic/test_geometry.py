import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magic.geometry import Box, Canvas, Halo, TileGrid, round_up
from magic.scene.memory import window


@st.composite
def grids(draw):
    multiple = 2 ** draw(st.integers(1, 5))

    def some(least, most):
        return multiple * draw(st.integers(least, most))

    return TileGrid(
        height=some(1, 20),
        width=some(1, 20),
        core_px=some(1, 6),
        halo=Halo(some(0, 4), some(0, 4)),
        multiple=multiple,
    )


@given(grids())
def test_an_identity_generator_through_any_grid_returns_its_input(grid):
    canvas = np.arange(grid.height * grid.width).reshape(grid.height, grid.width)
    out = np.full_like(canvas, -1)
    for tile in grid:
        seen = canvas[tile.read.slices]
        out[tile.core.slices] = seen[tile.core.within(tile.read).slices]
    assert np.array_equal(out, canvas)


@given(grids())
def test_every_pixel_belongs_to_one_core(grid):
    owners = np.zeros((grid.height, grid.width), int)
    for tile in grid:
        owners[tile.core.slices] += 1
    assert (owners == 1).all()
    assert len(list(grid)) == len(grid)


@given(grids())
def test_read_boxes_are_aligned_equal_and_wide_enough(grid):
    tiles = list(grid)
    assert len({(tile.read.height, tile.read.width) for tile in tiles}) == 1
    for tile in tiles:
        assert not any(edge % grid.multiple for edge in (*tile.read, *tile.core))
        assert tile.read.top <= max(tile.core.top - grid.halo.before, 0)
        assert tile.read.left <= max(tile.core.left - grid.halo.before, 0)
        assert tile.read.bottom >= min(tile.core.bottom + grid.halo.behind, grid.height)
        assert tile.read.right >= min(tile.core.right + grid.halo.behind, grid.width)
        assert min(tile.read) >= 0
        assert tile.read.bottom <= grid.height
        assert tile.read.right <= grid.width


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_the_poster_is_the_content_in_the_middle_of_its_canvas(height, width, depth, before, behind):
    multiple = 2**depth
    halo = Halo(before * multiple, behind * multiple)
    canvas = Canvas.around(height, width, halo=halo, multiple=multiple)
    content = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3).astype(np.uint8)
    padded = window(content, canvas.box.shifted(-canvas.padding_before, -canvas.padding_before))
    assert padded.shape[:2] == (canvas.height, canvas.width)
    assert canvas.height % multiple == canvas.width % multiple == 0
    assert canvas.height - canvas.poster.bottom >= halo.behind
    assert np.array_equal(padded[canvas.poster.slices], content)


def test_a_tile_size_off_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"multiple of 8, got 100; 104 would do"):
        TileGrid(height=64, width=64, core_px=100, halo=Halo(8, 8), multiple=8)


def test_an_empty_poster_is_refused():
    with pytest.raises(ValueError, match="at least 1x1"):
        Canvas.around(0, 5, halo=Halo(8, 8), multiple=8)


def test_round_up_and_box_arithmetic():
    assert [round_up(n, 8) for n in (0, 1, 8, 9)] == [0, 8, 8, 16]
    assert Box(8, 16, 24, 32).within(Box(8, 8, 40, 40)) == Box(0, 8, 16, 24)
    assert Box(8, 16, 24, 32).shrunk(8) == Box(1, 2, 3, 4)
