"""What `magic verify` says of sound and of damaged posters."""

import numpy as np
import pytest

from jobs import cli
from jobs.posters.poster import poster
from jobs.posters.verification import verify
from jobs.settings.poster_config import VerifyConfig
from magic.geometry import Box
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import read_object
from tests.jobs.posters.small_poster import refined_poster


@pytest.fixture(scope="module")
def finished(ray_here, pictures, tmp_path_factory):
    return painted(pictures, tmp_path_factory.mktemp("verify"), "fp32")


@pytest.fixture(scope="module")
def rough(ray_here, pictures, tmp_path_factory):
    return painted(pictures, tmp_path_factory.mktemp("verify"), "bf16")


def painted(pictures, folder, precision):
    settings = refined_poster(pictures, folder, tile=48, formats=(), precision=precision)
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


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("layer", ["output", "collage", "labels"])
def test_damage_of_any_layer_is_found_in_any_precision(finished, rough, precision, layer):
    poster = {"fp32": finished, "bf16": rough}[precision]
    box = poster.store.grid[5].core
    sound = poster.store.read_canvas(layer, box)
    poster.store.write(layer, box, np.roll(sound, 7, axis=2) if layer != "labels" else (sound + 1) % 3)
    try:
        with pytest.raises(RuntimeError, match=r"away from what it should be"):
            verify(VerifyConfig(poster=poster.url, threads=1, regions=0))
    finally:
        poster.store.write(layer, box, sound)
    tiled, whole = verify(VerifyConfig(poster=poster.url, threads=1, regions=0)).values()
    assert tiled["maximum"] <= 0.02
    assert whole["maximum"] <= 1


FILE = "statistics/mixing-00.safetensors"


def test_statistics_that_were_changed_are_found(finished):
    coverage = finished.store.load_statistics("mixing", 0)
    coverage.moments.mean[0, 0] += 1e-6
    sound = read_object(f"{finished.url}/{FILE}")
    finished.store.save_statistics("mixing", 0, coverage)
    try:
        with pytest.raises(ValueError, match=r"the statistics that .* was painted with, got 'others'"):
            verify(VerifyConfig(poster=finished.url, threads=1))
    finally:
        finished.store.folder.replace(FILE, sound)


def test_what_is_no_finished_poster(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "expected the folder of a finished poster" in capsys.readouterr().err
