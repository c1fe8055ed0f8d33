import numpy as np
import pytest

from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.networks.norm import Moments
from pipelines.posters.poster_store import Coverage, PosterStore
from pipelines.posters.pyramid import build_pyramid
from pipelines.storage.door import write_object
from pipelines.workers.functions import carry_out
from tests.conftest import stored

GRID = TileGrid(height=72, width=104, core_px=40, halo=Halo(8, 8), multiple=8)
CANVAS = Canvas(poster_height=30, poster_width=50, padding_before=16, height=72, width=104)


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path):
    url = str(tmp_path / "poster") if request.param == "local" else request.getfixturevalue("s3") + "/poster"
    made = PosterStore(url, GRID, CANVAS)
    made.create(("collage", "labels", "unrefined", "output"))
    return made


def test_tiles_come_back_and_are_listed(store):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 72, 104), dtype=np.uint8)
    assert store.done("output") == set()
    for index in (0, 4, 5):
        core = GRID[index].core
        store.write("output", core, pixels[(slice(None), *core.slices)])
    assert store.done("output") == {0, 4, 5}
    assert store.done("collage") == set()
    for index in (0, 4, 5):
        assert np.array_equal(
            store.read_canvas("output", GRID[index].core), pixels[(slice(None), *GRID[index].core.slices)]
        )
    store.create(("output",))  # a second run keeps what is there
    assert store.done("output") == {0, 4, 5}


def test_a_black_tile_is_done_too(store):
    store.write("output", GRID[1].core, np.zeros((3, 40, 40), np.uint8))
    assert store.done("output") == {1}


def test_the_poster_is_cut_from_the_canvas(store):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 72, 104), dtype=np.uint8)
    for tile in GRID:
        store.write("collage", tile.core, pixels[(slice(None), *tile.core.slices)])
    assert np.array_equal(stored(store, "collage"), pixels[:, 16:46, 16:66].transpose(1, 2, 0))
    assert np.array_equal(store.read("collage", Box(3, 4, 9, 11)), pixels[:, 19:25, 20:27])


def test_what_is_unrefined_is_not_shown_and_goes(store):
    assert store.layers == ("output", "collage", "labels")
    for _ in range(2):
        store.drop("unrefined")
    with pytest.raises(ValueError, match=r"tile of the layer unrefined in row 0 and column 0 .*got no such file"):
        store.read_canvas("unrefined", GRID[0].core)


@pytest.mark.parametrize("size", [(1025, 513), (700, 1500), (4500, 30)])
def test_pyramid_levels_are_means_of_four(tmp_path, size):
    """Against numpy over the whole picture, odd sides included; of labels one of the four stays."""
    canvas = Canvas(poster_height=size[0], poster_width=size[1], padding_before=0, height=size[0], width=size[1])
    grid = TileGrid(height=size[0], width=size[1], core_px=512, halo=Halo(0, 0), multiple=1)
    store = PosterStore(str(tmp_path / "poster"), grid, canvas)
    store.create(("labels", "output"))
    rng = np.random.default_rng(0)
    expected = {"output": rng.integers(0, 256, (3, *size)).astype(np.uint8)}
    expected["labels"] = rng.integers(0, 700, (1, *size)).astype(np.uint16)
    for name, pixels in expected.items():
        for tile in grid:
            store.write(name, tile.core, pixels[(slice(None), *tile.core.slices)])
    carry_out(build_pyramid(store, ("labels", "output")), 4)  # so few blocks that no worker is started
    assert max(store.size(store.num_levels - 1)) <= 512 < max(store.size(store.num_levels - 2))
    for level in range(1, store.num_levels):
        height, width = expected["output"].shape[1:]
        padded = np.pad(expected["output"], ((0, 0), (0, height % 2), (0, width % 2)), mode="edge").astype(float)
        quads = padded.reshape(3, (height + 1) // 2, 2, (width + 1) // 2, 2).mean((2, 4))
        expected = {"output": np.floor(quads + 0.5).astype(np.uint8), "labels": expected["labels"][:, ::2, ::2]}
        box = Box(0, 0, *store.size(level))
        for name, pixels in expected.items():
            assert np.array_equal(store.read(name, box, level), pixels)
            assert store.done(name, level) == set(range(len(store.blocks(level))))


def test_what_a_killed_process_left_goes(tmp_path):
    store = PosterStore(str(tmp_path), GRID, CANVAS)
    store.create(("output",))
    (tmp_path / "tiles.zarr" / "output" / "0" / "zarr.0123.partial").touch()
    (tmp_path / "poster.png.0123.partial").touch()
    store.tidy()
    assert not list(tmp_path.rglob("*.partial"))


def test_statistics_come_back_and_damaged_ones_start_anew(store):
    coverage = Coverage()
    rng = np.random.default_rng(0)
    for _ in range(3):
        coverage = coverage.extended(Moments(10, rng.normal(size=(2, 4)), rng.random((2, 4))))
    assert store.load_statistics("mixing", 3) == Coverage()
    store.save_statistics("mixing", 3, coverage)
    back = store.load_statistics("mixing", 3)
    assert (back.num_tiles, back.moments.count) == (3, 30)
    assert np.array_equal(back.moments.mean, coverage.moments.mean)
    assert np.array_equal(back.moments.m2, coverage.moments.m2)
    write_object(f"{store.url}/statistics/mixing-03.safetensors", b"half a fi")
    assert store.load_statistics("mixing", 3) == Coverage()
