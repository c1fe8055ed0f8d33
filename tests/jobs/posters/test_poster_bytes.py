"""The poster's bytes are the same however many workers there are, and whatever happens to them."""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import psutil
import pytest

from jobs.posters.poster import poster
from jobs.posters.poster_job import PosterJob
from pipelines.painting.plan import max_kept_bytes
from tests.conftest import killing
from tests.jobs.posters.small_poster import SEED, K, contents, files_below, small_poster

DAY_S = 86_400
TILE = 72
"""Of which the canvas has 16."""


@pytest.fixture
def config(config):
    """The small poster, in more and smaller tiles."""
    return lambda **changes: config(**{"tile": TILE} | changes)


@pytest.fixture(scope="module")
def undisturbed(ray_here, model, pictures, tmp_path_factory):
    """The files of a poster made by one worker."""
    settings = replace(small_poster(model, pictures, tmp_path_factory.mktemp("undisturbed") / "poster"), tile=TILE)
    poster(settings)
    return contents(settings.out)


def test_workers_that_can_keep_but_a_part_change_nothing(config, undisturbed, monkeypatch):
    """The rest of the tiles is computed anew in every statistics pass."""
    rooms, planned_task = [], PosterJob.planned_task

    def cramped(job, plan):
        task = planned_task(job, plan)
        pass_bytes = max_kept_bytes(job.composition.generator, K, task.grid[0].read.area, "fp32")
        rooms.append(len(task.grid) * pass_bytes > 4 * pass_bytes > 0)
        return replace(task, tiling=replace(task.tiling, keep_bytes=2 * pass_bytes))

    monkeypatch.setattr(PosterJob, "planned_task", cramped)
    settings = config(workers=2)
    poster(settings)
    assert rooms == [True]
    assert contents(settings.out) == undisturbed


def test_three_workers_give_the_same_bytes(config, undisturbed):
    settings = config(workers=3)
    poster(settings)
    assert contents(settings.out) == undisturbed


def test_a_killed_render_worker_changes_nothing(config, undisturbed):
    settings = config(workers=2)
    with killing("TileWorker", lambda: any(Path(settings.out).glob("statistics/mixing-02*"))) as killed:
        poster(settings)
    assert killed
    assert contents(settings.out) == undisturbed


@pytest.mark.parametrize("stage", ["statistics/mixing-01.safetensors", "tiles.zarr/output/0/c/0/1/1"])
def test_a_stopped_job_goes_on_where_it_was(config, undisturbed, stage):
    """Kill the whole job, driver, workers and all, in the middle; set the clock back by a day, and run it again."""
    settings = config(workers=2)
    args = ["poster", "--model", settings.model, "--content", settings.content, "--style", *settings.style]
    args += ["--out", settings.out, "--templates", str(K), "--seed", str(SEED), "--tile", str(TILE), "--workers", "2"]
    args += ["--also", "collage", "labels", "--formats", "png", "tiff", "--keep", "True"]
    job = subprocess.Popen([sys.executable, "-m", "jobs.cli", *args], stderr=subprocess.DEVNULL, start_new_session=True)
    while not (Path(settings.out) / stage).exists():
        assert job.poll() is None, "the job ended before it could be stopped"
        time.sleep(0.01)
    driver = psutil.Process(job.pid)
    driver.suspend()  # at once: to find the others takes time, in which it would go on
    for process in [*driver.children(recursive=True), driver]:
        with contextlib.suppress(psutil.NoSuchProcess):  # a worker that had nothing to do may have ended by itself
            process.kill()
    job.wait()
    assert not (Path(settings.out) / "manifest.json").exists()
    for path in files_below(settings.out):  # to set the clock back, or to move all files forward, is the same
        tomorrow = path.stat().st_mtime + DAY_S
        os.utime(path, (tomorrow, tomorrow))
    written = (Path(settings.out) / "tiles.zarr").glob("[!u]*/0/c/0/*/*")  # all but what is unrefined, which goes
    done = {path: path.stat().st_mtime_ns for path in written if "partial" not in path.name}
    assert bool(done) == ("tiles.zarr" in stage)
    poster(settings)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())  # nothing is rendered twice
    assert contents(settings.out) == undisturbed


def test_a_finished_poster_is_not_painted_again(config, undisturbed, capsys):
    settings = config(formats=("png", "viewer"))
    poster(settings)
    assert (Path(settings.out) / "viewer" / "index.html").exists()
    before = {path: path.stat().st_mtime_ns for path in files_below(settings.out) if "manifest.json" not in path.name}
    capsys.readouterr()
    poster(settings)
    assert "is painted: only missing files are written" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    poster(replace(settings, width_cm=2.0))
    stayed = [path for path, when in before.items() if path.exists() and path.stat().st_mtime_ns == when]
    written = {path.name for path in before.keys() - stayed if "digests" not in path.parts}
    assert written == {"poster.png", "collage.png", "labels.png", "files.json"}


def test_a_job_that_was_killed_before_it_had_its_folder_begins_anew(config, undisturbed):
    settings = config()
    Path(settings.out).mkdir()
    Path(settings.out, "job.json.0123.partial").write_text('{"kind"')
    poster(settings)
    assert contents(settings.out) == undisturbed


def test_a_poster_on_object_storage(ray_here, config, undisturbed, s3):
    poster(config(workers=2, out=f"{s3}/posters/one"))
    with fsspec.open(f"{s3}/posters/one/poster.png", "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == undisturbed["poster.png"]
