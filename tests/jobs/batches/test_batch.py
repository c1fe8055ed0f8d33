"""Batches: each poster as `magic poster` paints it, what fails fails alone, and nothing is done twice."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cluster.connection import ClusterConfig
from cluster.tracking import runs
from jobs import cli
from jobs.batches.batch_job import BatchJob, batch
from jobs.batches.row_painting import RowPainter
from jobs.batches.row_records import Book
from jobs.batches.row_tables import format_of
from jobs.batches.rows import read_rows
from jobs.exit_codes import PartlyFailedError
from jobs.posters.poster import poster
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.batch_config import BatchConfig
from pipelines.workers.functions import Shared, apply_to_each
from tests.jobs.batches.conftest import COLUMNS
from tests.jobs.posters.small_poster import contents


def test_posters_are_those_of_single_commands_and_only_what_changes_is_painted_again(ray_here, table, tmp_path, capsys):
    assert batch(table.config) == f"{tmp_path}/out"
    assert "batch of 3 posters" in capsys.readouterr().out
    large = read_rows(table.config)[-1]
    poster(replace(large.config, out=f"{tmp_path}/single"))
    assert contents(tmp_path / "single") == contents(large.config.out)
    for name in table.rows:
        record = table.record(name)
        assert (record.status, record.attempts) == ("done", 1)
        assert record.tasks > 0
        assert max(Image.open(tmp_path / "out" / "thumbs" / f"{name}.jpg").size) <= 256
    capsys.readouterr()

    before = table.written()
    batch(table.config)
    assert "0 to paint, 3 done before and skipped" in capsys.readouterr().out
    assert not table.changed_since(before)

    table.rows["small"]["seed"] = 3
    batch(table.config)
    assert table.changed_since(before) == {"small"}

    before = table.written()
    shutil.copytree(tmp_path / "pictures", tmp_path / "others")
    table.rows["large"]["content"] = f"{tmp_path}/others/content/portrait.png"
    batch(table.config)  # the same picture elsewhere: nothing is painted, its record is renewed
    assert table.record("large").status == "done"
    Image.new("RGB", (131, 150), "red").save(tmp_path / "others" / "content" / "portrait.png")
    tiles = (tmp_path / "out" / "posters" / "large" / "tiles.zarr" / "output").stat().st_mtime_ns
    batch(table.config)
    assert (tmp_path / "out" / "posters" / "large" / "tiles.zarr" / "output").stat().st_mtime_ns > tiles
    assert table.changed_since(before) == {"large"}

    before = table.written()
    (tmp_path / "out" / "posters" / "seeded" / "poster.png").unlink()
    table.rows["small"]["formats"] = "png;jpeg"
    batch(table.config)
    assert table.changed_since(before) == {"seeded", "small"}
    assert (tmp_path / "out" / "posters" / "small" / "poster.jpg").exists()


def test_what_is_wrong_with_a_row_is_told_and_the_others_are_painted(ray_here, table, tmp_path, capsys):
    table.rows["missing"] = {**table.rows["small"], "content": f"{tmp_path}/nobody.png"}
    table.rows["typo"] = {**table.rows["small"], "width": "sixty"}
    (tmp_path / "out" / "posters" / "seeded").mkdir(parents=True)
    (tmp_path / "out" / "job.json").write_text('{"kind": "batch", "format": 1}')
    (tmp_path / "out" / "posters" / "seeded" / "diary.txt").write_text("mine")
    with pytest.raises(PartlyFailedError, match=r"3 of 5 posters are not done"):
        batch(table.config)
    found = {name: (table.record(name).status, table.record(name).stage) for name in table.rows}
    assert found == {
        "small": ("done", ""),
        "large": ("done", ""),
        "seeded": ("failed", "painting"),
        "missing": ("refused", "inputs"),
        "typo": ("refused", "settings"),
    }
    assert "nobody.png" in table.record("missing").reason
    assert "a whole number" in table.record("typo").reason
    assert (tmp_path / "out" / "posters" / "seeded" / "diary.txt").read_text() == "mine"
    with (tmp_path / "out" / "results.csv").open() as file:
        results = {row["id"]: row for row in csv.DictReader(file)}
    assert {name: row["result_status"] for name, row in results.items()} == {n: s for n, (s, _) in found.items()}
    assert results["large"]["result_width"] == "120"

    # the failed rows, given back as a table after the mistakes are mended
    shutil.rmtree(tmp_path / "out" / "posters" / "seeded")
    shutil.copy(tmp_path / "pictures" / "content" / "portrait.png", tmp_path / "nobody.png")
    failed = (tmp_path / "out" / "failed.csv").read_text()
    assert failed.splitlines()[0] == ",".join(COLUMNS)
    (tmp_path / "again.csv").write_text(failed.replace("sixty", "60"))
    before = table.written()
    batch(BatchConfig(table=f"{tmp_path}/again.csv", out=f"{tmp_path}/out", workers=1))
    assert table.changed_since(before) == {"seeded", "missing", "typo"}


def die(shared, number):
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(RowPainter):
    """One of its rows kills every worker that takes it."""

    __slots__ = ()

    def paint(self, rows):
        if rows[0].name == "deadly":
            yield from apply_to_each(Shared(0), die, [0], "die")
        return (yield from super().paint(rows))


def test_a_row_that_kills_its_workers_fails_alone(ray_here, table):
    table.rows = {"deadly": table.rows["small"], **table.rows}
    rows, workers = read_rows(table.config), RenderWorkers.choose(2, threads=1, gpu_share=1)
    job = BatchJob(table.config, rows, Deadly(Book(table.config.out), Shelf(table.config.cluster), workers))
    todo = job.check()
    with workers.pool() as pool:
        job.begin()
        job.paint(todo, pool)
    with pytest.raises(PartlyFailedError, match="1 of 4 posters are not done; deadly: 1 tasks failed 3 times"):
        job.raise_for_failures()
    assert {name: table.record(name).status for name in table.rows} == {
        "deadly": "failed",
        "small": "done",
        "seeded": "done",
        "large": "done",
    }


def test_a_batch_that_was_killed_goes_on_and_an_edited_row_is_painted_anew(ray_here, table, tmp_path):
    reference = table.config
    batch(reference)
    expected = table.painted()
    shutil.rmtree(reference.out)
    command = [sys.executable, "-m", "jobs.cli", "batch", reference.table, "--out", reference.out, "--workers", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet) as process:
        while not list(Path(reference.out).glob("posters/*/statistics/*")):
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    done = {name for name in table.rows if table.record(name).status == "done"}
    attempts = {name: table.record(name).attempts for name in table.rows}
    before = table.written()
    batch(table.config)
    assert table.painted() == expected
    assert not done & table.changed_since(before)
    assert all(table.record(name).attempts == attempts[name] + (name not in done) for name in table.rows)


def test_a_batch_goes_on_in_its_own_run(ray_here, table, tmp_path):
    store = ClusterConfig(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "artifacts"))
    table.rows["missing"] = {**table.rows["small"], "content": f"{tmp_path}/nobody.png"}
    for _ in range(2):
        with pytest.raises(PartlyFailedError):
            batch(replace(table.config, cluster=store))
        table.rows["small"]["seed"] = 3
    client = runs.open_store(store)
    (run,) = client.search_runs([client.get_experiment_by_name("magic").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "out"
    assert (run.data.metrics["rows/done"], run.data.metrics["rows/failed"]) == (3, 1)
    assert run.data.metrics["rows/seconds_left"] == 0
    history = client.get_metric_history(run.info.run_id, "rows/done")
    assert [entry.value for entry in history][:3] == [1, 2, 3]
    newest = client.download_artifacts(run.info.run_id, "newest.png", str(tmp_path))
    assert Image.open(newest).size[0] > 250


def test_the_folder_of_something_else_is_refused_before_anything_is_written(ray_here, table, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").touch()
    with pytest.raises(ValueError, match="the batch's folder"):
        batch(table.config)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["diary.txt"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_no_credentials_are_written(tmp_path, ending):
    secret = "https://me:my-password@127.0.0.1/a.png"
    form = format_of(f"x.{ending}")
    rows = [{"id": "a", "model": secret, "style": [secret, secret], "content": secret, "width": "wide"}]
    (tmp_path / f"table.{ending}").write_bytes(form.write(rows, list(rows[0])))
    config = BatchConfig(table=f"{tmp_path}/table.{ending}", out=f"{tmp_path}/out")
    job = BatchJob(config, read_rows(config), RowPainter(Book(config.out), None, None))
    assert job.check() == []
    job.begin()
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert set(written) == {"job.json", "a.json", f"results.{ending}", f"failed.{ending}", "index.html"}
    for name, data in written.items():
        assert b"my-password" not in data, name
    assert b"127.0.0.1/a.png" in written["index.html"]


def test_a_dry_run_tells_the_plan_of_the_whole(ray_here, table, tmp_path, capsys):
    arguments = ["batch", table.config.table, "--out", table.config.out, "--workers", "1", "--dry-run"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    for part in ("3 to paint, 0 done, 0 refused", "megapixels in", "floating-point operations", "memory", "disk"):
        assert part in shown
    assert not (tmp_path / "out").exists()


def test_exit_codes(ray_here, table, capsys):
    config = table.config
    arguments = ["batch", config.table, "--out", config.out, "--workers", "1"]
    table.rows = {"missing": {**table.rows["small"], "content": "nobody.png"}}
    _ = table.config
    assert cli.main(arguments) == 1
    assert "nobody.png" in capsys.readouterr().err
    table.rows["typo"] = {"modle": 1}
    Path(config.table).write_text("id,modle\na,b\n")
    assert cli.main(arguments) == 2
