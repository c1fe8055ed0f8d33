"""Wrong input gives one clear line, no traceback, exit code 2."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import s3fs

from jobs import cli
from jobs.commands import COMMANDS, GROUPS
from jobs.paper.figures import figure
from jobs.settings.measure_config import FigureName, Scale
from jobs.settings.poster_config import PosterConfig
from jobs.settings.recipes import RECIPES
from jobs.settings.training_config import TrainConfig
from magic.networks.packed import save_generator
from tests.conftest import random_generator


@pytest.fixture(autouse=True)
def store_here(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("MAGIC_DEBUG", raising=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_generator(folder, random_generator(2))
    return folder


def refused(capsys, *args) -> str:
    assert cli.main([str(a) for a in args]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("magic: ")
    return lines[0]


TRAIN = ("train", "demo")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--crops.num-templates", 0), "num_templates (K) in 1..65535, got 0"),
        (("--crops.patch-px", 60), "multiple of 2^depth = 8, got 60; 64 would do"),
        (("--crops.patch-px", 8), "at least 2^4 pixels"),
        (
            ("--crops.patch-px", "wide"),
            "expected INT for --crops.patch-px; invalid literal",
        ),
        (("--crops.min-templates", "few"), "expected INT for --crops.min-templates; no type matching"),
        (("--generator.depth", 0), "a depth in 1..8"),
        (("--losses.entropy", -1), "a loss weight entropy >= 0"),
        (("--workers", 0), "workers >= 1"),
        (("--name", "a/b"), "a name of letters"),
        (("--crops.min-templates", 11), "min_templates in 1..10, got 11"),
        (
            ("--generator.warp", "flow", "--generator.system", "mosaic"),
            "options that mosaic has, got ['heads', 'warp', 'refine', 'refiner_channels', 'refiner_sees_content']",
        ),
        (
            ("--generator.system", "famos", "--generator.memory-size", 10),
            "options that famos has, got ['heads', 'refine', 'refiner_channels', 'refiner_sees_content']",
        ),
        (
            ("--generator.no-guided", "--generator.no-refiner-sees-content", "--crops.memory", "fixed"),
            "random memory sets for an unguided model",
        ),
        (("--style.shares", 1, 2), "a share above 0 for each of the 1 urls"),
        (("--optimizer.ema-decay", 1), "ema_decay in [0, 1)"),
    ],
)
def test_settings_out_of_range(capsys, change, message):
    assert message in refused(capsys, *TRAIN, *change)


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        ("famos", ("--generator.memory-size", 7), "a memory_size of num_templates = 16, got 7"),
        ("famos", ("--crops.memory", "random"), "a fixed memory for famos"),
        ("mosaic", ("--crops.memory", "fixed"), "no fixed memory for the mosaic"),
        ("mosaic", ("--generator.inducing-points", 16), "options that mosaic has, got ['inducing_points']"),
    ],
)
def test_what_baselines_have_not(capsys, recipe, change, message):
    assert message in refused(capsys, "train", recipe, *change)


def test_sources_without_pictures(capsys, ray_here, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    for url in (tmp_path / "nope", tmp_path / "empty", f"{tmp_path}/*.png", "s4://bucket/x"):
        assert f"pictures at {url}" in refused(capsys, *TRAIN, "--style.urls", url, "--out", tmp_path)
    assert "at least one URL" in refused(capsys, "train", "paper", "--out", tmp_path)


def test_storage_without_credentials(capsys, ray_here, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    line = refused(capsys, *TRAIN, "--style.urls", "s3://somewhere/style", "--out", tmp_path)
    assert "pictures at s3://somewhere/style" in line
    s3fs.S3FileSystem.clear_instance_cache()


def test_more_workers_than_the_cluster_holds(capsys, ray_here, tmp_path):
    line = refused(capsys, *TRAIN, "--workers", 40, "--out", tmp_path)
    assert "expected 41 CPUs for 40 training workers" in line


def test_a_training_folder_of_another_job(capsys, ray_here, tmp_path):
    (tmp_path / "magic-demo").mkdir()
    (tmp_path / "magic-demo" / "diary.txt").touch()
    assert "got other files" in refused(capsys, *TRAIN, "--out", tmp_path)
    (tmp_path / "a-file").touch()
    assert "choose another" in refused(capsys, *TRAIN, "--out", tmp_path / "a-file")


def test_fp16_without_a_gpu(capsys, ray_here, tmp_path):
    assert "fp32 or bf16" in refused(capsys, *TRAIN, "--optimizer.precision", "fp16", "--out", tmp_path)


def test_work_that_failed_is_told_without_a_traceback(capsys, monkeypatch):
    def fail(job):
        raise RuntimeError("3 tiles failed 3 times")

    monkeypatch.setattr(cli, "run", fail)
    assert cli.main([*TRAIN]) == 1
    assert capsys.readouterr().err == "magic: failed: 3 tiles failed 3 times\n"


def poster(model, pictures, out, *more):
    content, style = pictures / "content" / "portrait.png", pictures / "style"
    return ("poster", "--model", model, "--content", content, "--style", style, "--out", out, *more)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models:/nobody@current", "a registered model"),
        ("models:/nobody/1", "a registered model"),
        ("models:/nobody", "models:/NAME@ALIAS"),
        ("no/such/folder", "expected a model at"),
    ],
)
def test_unknown_models(capsys, pictures, tmp_path, name, message):
    assert message in refused(capsys, *poster(name, pictures, tmp_path / "p"))


def test_posters_that_cannot_be(capsys, ray_here, model, pictures, tmp_path):
    for change, message in (
        (("--templates", 0), "templates (K) in 1..65535"),
        (("--tile", 30), "multiple of 4, got 30; 32 would do"),
        (("--style", tmp_path / "nope"), "pictures at"),
        (("--content", tmp_path / "nope.png"), "pictures at"),
        (("--content", pictures), "one content picture"),
        (("--width", 0), "width > 0"),
        (("--keep-templates", 1), "numbers of templates to keep together with the poster's folder"),
    ):
        assert message in refused(capsys, *poster(model, pictures, tmp_path / "p", *change))
    assert not (tmp_path / "p").exists()


def test_a_dry_run_prints_the_plan_and_writes_nothing(capsys, ray_here, model, pictures, tmp_path):
    assert cli.main([str(a) for a in poster(model, pictures, tmp_path / "p", "--tile", 64, "--dry-run")]) == 0
    shown = capsys.readouterr().out
    assert "poster 131 x 150 px" in shown
    assert "halo 16 and 12" in shown
    assert not (tmp_path / "p").exists()
    assert cli.main([*TRAIN, "--out", str(tmp_path / "t"), "--dry-run"]) == 0
    assert "K = 10" in capsys.readouterr().out
    assert not (tmp_path / "t").exists()


def test_arguments_become_settings():
    job = cli.parse(["train", "paper", "--style.urls", "a", "b", "--steps", "7", "--optimizer.precision", "bf16"])
    assert isinstance(job, TrainConfig)
    assert (job.style.urls, job.steps, job.optimizer.precision, job.crops.num_templates) == (("a", "b"), 7, "bf16", 50)
    job = cli.parse(["poster", "--model", "m", "--content", "c", "--out", "o", "--also", "collage", "labels"])
    assert isinstance(job, PosterConfig)
    assert job.also == ("collage", "labels")


def test_every_recipe_and_figure_is_complete():
    for name in RECIPES:
        assert cli.parse(["train", name]).steps > 0
    for name in get_args(FigureName):
        for scale in get_args(Scale):
            assert figure(name, scale, Path("data")).runs
            assert cli.parse(["reproduce", name, "--scale", scale]).figure == name


HELP = [
    [],
    *([command.name] for command in COMMANDS),
    *([group.name] for group in GROUPS),
    *([group.name, command.name] for group in GROUPS for command in group.commands),
    *(["train", name] for name in RECIPES),
]


@pytest.mark.parametrize("args", [[*words, "--help"] for words in HELP], ids=" ".join)
def test_help_teaches(capsys, args):
    with pytest.raises(SystemExit) as stopped:
        cli.parse(args)
    assert stopped.value.code == 0
    assert "magic" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in `magic poster --help | head -1`."""
    command = [sys.executable, "-m", "jobs.cli", "poster", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == cli.UNREAD
        assert process.stderr.read() == b""
