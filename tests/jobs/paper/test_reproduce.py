"""A figure ends in a sheet and a table; what is missing is said before any training."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import cli
from jobs.paper import figures, reproduce, unguided_figure
from jobs.settings.measure_config import ReproduceConfig
from magic.hyperparameters import DiscriminatorConfig
from tests.conftest import textured


@pytest.fixture
def famos_samples(tmp_path):
    """A folder as --data names it, of noise."""
    rng = np.random.default_rng(0)
    for name, size in {
        "archimboldo.jpg": (150, 120),
        "milano/a.png": (130, 140),
        "milano/b.png": (130, 170),
        "published/famos_convolutional.jpg": (150, 120),
        "published/famos_hybrid.jpg": (150, 120),
    }.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(textured(rng, *size)).save(path)
    return tmp_path / "data"


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_a_sheet_and_a_table(name, famos_samples, tmp_path, monkeypatch):
    """With every run's networks and crops made tiny; everything else is as it is."""

    def tiny(run):
        small = replace(run.generator, channels=4, depth=2)
        crops = replace(run.crops, patch_px=32, batch_size=1)
        content = replace(run.content, scale=0.25) if name in ("fig7", "fig8") else run.content
        style = replace(run.style, square_px=32) if name == "fig2" else run.style
        opponent = DiscriminatorConfig(channels=4, depth=3)
        return replace(run, generator=small, crops=crops, discriminator=opponent, content=content, style=style, steps=2)

    def shrunk(*args):
        plan = figures.figure(*args)
        return replace(plan, runs={label: tiny(run) for label, run in plan.runs.items()})

    monkeypatch.setattr(reproduce, "figure", shrunk)
    monkeypatch.setattr(figures, "NUM_TRAININGS", 2)
    monkeypatch.setattr(unguided_figure, "NUM_TRAINING_FACES", 12)
    monkeypatch.setattr(unguided_figure, "NUM_HELD_OUT_FACES", 4)
    monkeypatch.setattr(unguided_figure, "MAX_FACES", 16)
    data = str(famos_samples) if name == "fig9" else None
    written = reproduce.reproduce(
        ReproduceConfig(figure=name, data=data, out=str(tmp_path / "out"), results=str(tmp_path / "results"))
    )
    text = written.read_text()
    columns = {
        "fig2": ["K = 2", "K = 12"],
        "fig7": ["lambda_E = 0.5", "lambda_E = 5"],
        "fig8": ["lambda_TV = 1", "lambda_TV = 100"],
        "fig9": ["convolutional mosaic", "FAMOS hybrid", "MAGIC", "published FAMOS"],
    }[name]
    assert all(column in text for column in [*columns, "style_distance", "entropy"])
    command = shlex.split(text.split("`")[1].removeprefix("magic "))
    again = cli.parse(command)
    assert (again.figure, again.data is not None) == (name, name == "fig9")
    assert ("half as long as the published ones" in text) == (name == "fig9")
    assert ("means over 4 memory sets" in text) == (name != "fig2")
    trainings = {"fig2": 1, "fig7": 2, "fig8": 2, "fig9": 6}[name]
    assert f"trainings: {trainings}, " in text
    assert ("trained 2 times" in text) == ("style_distance, seed 1" in text) == (name == "fig9")
    assert Image.open(written.with_suffix(".jpg")).width > 500


def test_missing_pictures_are_told_before_any_training(pictures, tmp_path):
    def run(**settings):
        reproduce.reproduce(ReproduceConfig(out=str(tmp_path / "o"), **settings))

    with pytest.raises(ValueError, match="pictures at"):
        run(figure="fig2", faces=str(tmp_path))
    with pytest.raises(ValueError, match="at least 76 pictures of faces, got 3"):
        run(figure="fig2", faces=str(pictures / "style"))
    (tmp_path / "milano").mkdir()
    Image.open(pictures / "style" / "0.png").save(tmp_path / "milano" / "a.png")
    Image.open(pictures / "style" / "0.png").save(tmp_path / "archimboldo.jpg")
    with pytest.raises(ValueError, match=r"pictures at .*published"):
        run(figure="fig9", data=str(tmp_path))
    with pytest.raises(ValueError, match=r"expected --data, .* for fig9, got none"):
        run(figure="fig9")
    assert not (tmp_path / "o").exists()


def test_data_are_a_folder_of_this_machine(famos_samples, monkeypatch):
    monkeypatch.setenv("HOME", str(famos_samples.parent))
    assert reproduce.plan_of(ReproduceConfig(figure="fig9", data="~/data")) == reproduce.plan_of(
        ReproduceConfig(figure="fig9", data=str(famos_samples))
    )
    with pytest.raises(ValueError, match="expected a folder of this machine, got 's3://bucket/data'"):
        reproduce.plan_of(ReproduceConfig(figure="fig9", data="s3://bucket/data"))


@pytest.mark.parametrize("option", ["trainings", "templates"])
def test_figure_2_has_one_training_and_several_k(option):
    with pytest.raises(ValueError, match=f"expected no {option} for fig2, got 2"):
        reproduce.plan_of(ReproduceConfig(figure="fig2", **{option: 2}))


def test_the_line_in_the_docstring_runs_without_ray_and_mlflow():
    """As it stands there, by a shell."""
    line = reproduce.__doc__[reproduce.__doc__.index("python -c") :]
    assert line.count('"') == 2
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("fig9: Three systems on Milan and Arcimboldo; trainings: 3, 120 minutes each, ")
    modules = {row.rsplit("|")[-1].strip() for row in done.stderr.splitlines() if row.startswith("import time")}
    assert "torch" in modules
    assert not modules & {"ray", "mlflow"}
