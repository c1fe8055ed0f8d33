"""Posters of a group share their statistics and their tone, and are painted together or not at all."""

import shutil

import numpy as np
import pytest
from PIL import Image

from jobs.batches.batch_job import batch
from jobs.posters.verification import verify
from jobs.settings.poster_config import VerifyConfig
from pipelines.pictures.tone import pooled, tone_of
from pipelines.posters.finished_poster import FinishedPoster
from tests.conftest import stored, textured


@pytest.fixture
def wall(table, tmp_path):
    """Two posters of a group, of other contents and sizes, and one that is alone."""
    Image.fromarray(textured(np.random.default_rng(1), 90, 120) // 2).save(tmp_path / "dark.png")
    first = table.rows["large"]
    table.rows = {
        "left": {**first, "group": "wall"},
        "right": {**first, "content": f"{tmp_path}/dark.png", "width": 100, "group": "wall"},
        "alone": first,
    }
    return table


def finished(wall, name):
    return FinishedPoster.at(f"{wall.folder}/out/posters/{name}")


def moments(wall, name, net="mixing", number=0):
    return finished(wall, name).store.load_statistics(net, number).moments


def test_statistics_and_tone_are_those_of_all_canvases(ray_here, wall, tmp_path, capsys):
    """By whole canvases and by tiles; each poster is what its own statistics say."""
    wall.rows = {name: {**row, "tone": "keep"} for name, row in wall.rows.items()}
    wall.rows["other"] = {**wall.rows["right"], "group": None}
    wall.rows |= {name: {**wall.rows[name[1:]], "group": "tiles", "tile": 48} for name in ("/left", "/right")}
    wall.rows = {name.replace("/", "tiled-"): row for name, row in wall.rows.items()}
    batch(wall.config)
    merged = moments(wall, "alone").merge(moments(wall, "other"))  # nothing comes before the first norm
    for name in ("left", "right"):
        assert np.array_equal(moments(wall, name).mean, merged.mean)
        assert np.array_equal(moments(wall, name).m2, merged.m2)
        verify(VerifyConfig(poster=f"{tmp_path}/out/posters/{name}", regions=3, region_px=48))
        whole, tiled = (stored(finished(wall, each).store, "output") for each in (name, f"tiled-{name}"))
        assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert not np.array_equal(
        stored(finished(wall, "left").store, "output"), stored(finished(wall, "alone").store, "output")
    )
    assert finished(wall, "left").manifest.identity.statistics == "group"


def test_a_content_twice_gives_the_poster_of_one(ray_here, wall):
    wall.rows["right"] = wall.rows["left"]
    batch(wall.config)
    left, right, alone = (stored(finished(wall, name).store, "output").astype(int) for name in wall.rows)
    assert np.array_equal(left, right)
    assert np.abs(left - alone).max() <= 1


def test_the_tone_is_that_of_all_contents(ray_here, wall, tmp_path):
    batch(wall.config)
    contents = [Image.open(tmp_path / name) for name in ("pictures/content/portrait.png", "dark.png")]
    shown = [
        image.resize((width, round(image.height * width / image.width)))
        for image, width in zip(contents, (120, 100), strict=True)
    ]
    expected = pooled((image.width * image.height, tone_of(np.array(image))) for image in shown)
    tones = {name: finished(wall, name).manifest.identity.content.tones for name in wall.rows}
    assert tones["left"] == tones["right"] != tones["alone"]
    assert np.allclose(tones["left"][0], expected, atol=2)


def test_a_group_is_painted_again_as_a_whole_and_goes_on_as_it_was(ray_here, wall, tmp_path, capsys):
    batch(wall.config)
    before, painted = wall.written(), wall.painted()
    capsys.readouterr()
    batch(wall.config)
    assert "0 to paint, 3 done before" in capsys.readouterr().out

    shutil.rmtree(tmp_path / "out" / "posters" / "left")  # the statistics are those that the other one has
    batch(wall.config)
    assert wall.painted() == painted
    assert "alone" not in wall.changed_since(before)

    before = wall.written()
    wall.rows["right"]["width"] = 90
    batch(wall.config)
    assert wall.changed_since(before) == {"left", "right"}
    assert wall.painted()["left"] != painted["left"]


def test_rows_that_cannot_share_statistics_are_refused_together(ray_here, wall, tmp_path):
    wall.rows["right"]["seed"] = 5
    with pytest.raises(RuntimeError, match="2 of 3 posters are not done"):
        batch(wall.config)
    assert {name: wall.record(name).status for name in wall.rows} == {
        "left": "refused",
        "right": "refused",
        "alone": "done",
    }
    assert "another templates for" in wall.record("left").reason
    wall.rows["right"] |= {"seed": None, "width": "wide"}
    with pytest.raises(RuntimeError):
        batch(wall.config)
    assert "a whole number" in wall.record("right").reason
    assert "its group has the row right" in wall.record("left").reason
    wall.rows["right"] |= {"width": 90, "mode": "preview"}
    with pytest.raises(RuntimeError):
        batch(wall.config)
    assert "mode preview" in wall.record("left").reason
