"""Sheets of unguided collages from a model's folder."""

import numpy as np
import pytest
from PIL import Image

from jobs.models.recipe import Recipe
from jobs.sample import blend, sample
from jobs.settings.measure_config import SampleConfig
from magic.networks.packed import save_generator
from pipelines.pictures.settings import CropConfig
from pipelines.pictures.source_records import SourceSummary
from tests.conftest import random_generator

SIZE = 48


@pytest.fixture
def model(tmp_path, pictures):
    folder = tmp_path / "model"
    save_generator(folder, random_generator(2, guided=False))
    style = SourceSummary(
        urls=(str(pictures / "style"),),
        scale=1.0,
        square_px=64,
        shares=(),
        digest="0" * 64,
        tone=None,
        num_pictures=3,
        num_skipped=0,
    )
    Recipe(crops=CropConfig(patch_px=SIZE), style=style).write(f"{folder}/recipe.json")
    return str(folder)


def sheet(folder, name):
    return np.array(Image.open(f"{folder}/{name}.png"))


def test_sheets_follow_the_seed(model, tmp_path):
    settings = {"model": model, "templates": (1, 2, 5), "seeds": 3, "between": 4}
    folders = [
        sample(SampleConfig(**settings, out=str(tmp_path / name), seed=seed))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    for name in ("collages", "sets", "between"):
        first, same, other = (sheet(folder, name) for folder in folders)
        assert np.array_equal(first, same)
        assert first.shape == other.shape
        assert not np.array_equal(first, other)
    rows, columns = sheet(folders[0], "collages").shape[:2]
    assert columns / rows == pytest.approx(1, rel=0.15)  # three K by three seeds


def test_pictures_that_are_taken_whole_are_scaled_to_the_size_asked_for(model, tmp_path):
    """Many times the size of training, and more than square_px: every element is still a whole picture."""
    out = sample(SampleConfig(model=model, out=str(tmp_path / "o"), size=240, templates=(2,), seeds=1))
    assert sheet(out, "sets").shape[1] > 4 * 240
    assert not (tmp_path / "o" / "between.png").exists()


def test_between_two_sets_begins_and_ends_with_them():
    one, other = (list(np.full((2, 3, 4, 4), level, np.uint8)) for level in (0, 200))
    assert [int(blend(one, other, t)[1].mean()) for t in (0.0, 0.25, 1.0)] == [0, 50, 200]


def test_what_cannot_be_sampled(model, pictures, tmp_path):
    save_generator(tmp_path / "guided", random_generator(2))
    with pytest.raises(ValueError, match="use magic poster"):
        sample(SampleConfig(model=str(tmp_path / "guided"), out=str(tmp_path / "o")))
    with pytest.raises(ValueError, match=r"a size that is a multiple of 2\^depth = 4, got 50"):
        sample(SampleConfig(model=model, out=str(tmp_path / "o"), size=50))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"expected a style picture at .*broken\.png, got: no picture"):
        sample(SampleConfig(model=model, out=str(tmp_path / "o"), style=(str(tmp_path / "broken.png"),)))
    with pytest.raises(ValueError, match="K >= 1"):
        SampleConfig(model=model, out="o", templates=(0,))
