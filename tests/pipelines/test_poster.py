import numpy as np
import pytest
import torch

from magic.batch import to_uint8
from magic.norm import Moments
from magic.tiles import Canvas, Halo, TileGrid
from pipelines.objects import claim, read_json, write_json, write_object
from pipelines.poster import Coverage, PosterStore

GRID = TileGrid(height=72, width=104, core_px=40, halo=Halo(8, 8), multiple=8)


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path):
    url = str(tmp_path / "poster") if request.param == "local" else request.getfixturevalue("s3") + "/poster"
    made = PosterStore(url, GRID)
    made.create(("collage", "output"))
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
        assert np.array_equal(store.read("output", GRID[index].core), pixels[(slice(None), *GRID[index].core.slices)])
    store.create(("collage", "output"))  # a second run keeps what is there
    assert store.done("output") == {0, 4, 5}


def test_a_black_tile_is_done_too(store):
    store.write("output", GRID[1].core, np.zeros((3, 40, 40), np.uint8))
    assert store.done("output") == {1}


def test_the_poster_is_cut_from_the_canvas_as_8_bit(store):
    canvas = Canvas(poster_height=30, poster_width=50, bleed_before=16, height=72, width=104)
    image = np.random.default_rng(0).uniform(-1.1, 1.1, (3, 72, 104)).astype(np.float32)
    for tile in GRID:
        store.write("collage", tile.core, image[(slice(None), *tile.core.slices)])
    shown = store.picture("collage", canvas)
    assert np.array_equal(shown, to_uint8(torch.from_numpy(image))[:, 16:46, 16:66].numpy().transpose(1, 2, 0))


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


def test_a_folder_belongs_to_one_job(store):
    job = {"seed": 1, "model": {"digest": "a"}}
    folder = f"{store.url}-claimed"
    claim(folder, job, "the folder")
    claim(folder, job, "the folder")
    with pytest.raises(ValueError, match=r"differs in model\.digest, seed"):
        claim(folder, {"seed": 2, "model": {"digest": "b"}}, "the folder")
    with pytest.raises(ValueError, match="got other files"):
        claim(store.url, job, "the folder")


def test_what_cannot_be_a_jobs_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "job.json").write_text("a list of jobs")
    for name in ("file", "foreign", "file/below"):
        with pytest.raises(ValueError, match=f"expected the folder to be .*{name}"):
            claim(str(tmp_path / name), {"seed": 1}, "the folder")


def test_objects_are_whole_or_absent(tmp_path, s3):
    for url in (f"{tmp_path}/deep/er/x.json", f"{s3}/deep/x.json"):
        assert read_json(url) is None
        write_json(url, {"a": [1]})
        write_json(url, {"a": [2]})
        assert read_json(url) == {"a": [2]}
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["x.json"]
