"""What `magic verify` says of sound and of damaged posters."""

import numpy as np
import pytest

from jobs import cli
from jobs.poster import poster
from jobs.poster_config import PosterConfig, VerifyConfig
from jobs.verify import verify
from magic.checkpoint import save_generator
from magic.tiles import Box
from pipelines.finished import FinishedPoster
from tests.conftest import random_generator


@pytest.fixture(scope="module")
def finished(ray_here, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    save_generator(folder / "model", random_generator(2, refine="blend"))
    settings = PosterConfig(
        model=str(folder / "model"),
        content=f"{pictures}/content/portrait.png",
        style=(f"{pictures}/style",),
        out=str(folder / "poster"),
        templates=3,
        tile=48,
        keep=False,
        formats=(),
    )
    poster(settings)
    return FinishedPoster.at(settings.out)


def test_a_sound_poster_equals_one_pass(finished, capsys):
    columns = verify(VerifyConfig(poster=finished.url, threads=1))
    tiled, whole, anew = columns.values()
    assert tiled["mean"] <= 0.001
    assert tiled["maximum"] <= 0.02
    assert tiled["seam_ratio"] == pytest.approx(tiled["seam_ratio_of_one_pass"], abs=1e-3)
    assert whole["maximum"] <= 1
    assert anew["maximum"] <= 1
    assert whole["mean"] < 0.001
    assert "the store and one pass" in capsys.readouterr().out


def test_of_a_large_poster_a_part_is_painted_both_ways(finished):
    part, anew = verify(VerifyConfig(poster=finished.url, whole_px=150 * 150, threads=1)).values()
    assert part["maximum"] <= 0.02
    assert anew["pixels"] == 8 * 131 * 150


def test_damage_is_found(finished):
    box = Box(0, 0, 48, 48)
    sound = finished.store.read_canvas("output", box)
    finished.store.write("output", box, np.minimum(sound, 200) + np.uint8(40))
    try:
        with pytest.raises(RuntimeError, match=r"up to \d\d+ of 256 levels away from what it should be"):
            verify(VerifyConfig(poster=finished.url, threads=1, regions=0))
        with pytest.raises(RuntimeError, match=r"up to \d\d+ of 256 levels"):
            verify(VerifyConfig(poster=finished.url, threads=1, whole_px=150 * 150))
    finally:
        finished.store.write("output", box, sound)


def test_what_is_no_finished_poster(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "expected the folder of a finished poster" in capsys.readouterr().err
