"""Pictures on storage -> Ray Data -> Ray Train -> registry -> tiles -> poster, by the commands a user types."""

from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image
from safetensors.numpy import load_file

from jobs import cli
from pipelines.storage.door import fetch
from tests.conftest import killing
from tests.servers.faults import fill, make_room, meanwhile, small_disk

STEPS, EVERY = 24, 8
DISK_BYTES = 100_000_000
SMALL = {
    "crops.patch-px": 32,
    "crops.num-templates": 3,
    "crops.batch-size": 2,
    "generator.channels": 4,
    "generator.depth": 2,
    "discriminator.channels": 4,
    "discriminator.depth": 3,
    "log-every": 2,
    "sheet-every": 12,
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


def train(pictures, workplace, name, *more, recipe="demo") -> int:
    args = ["train", recipe, "--name", name, "--steps", STEPS, "--checkpoint-every", EVERY]
    args += [part for name, value in SMALL.items() for part in (f"--{name}", value)]
    args += ["--content.urls", pictures / "content", "--style.urls", pictures / "style", "--out", workplace / "runs"]
    args += ["--cluster.tracking-uri", store(workplace), "--cluster.artifacts", workplace / "mlruns", *more]
    return cli.main([str(arg) for arg in args])


def store(workplace) -> str:
    return f"sqlite:///{workplace}/mlflow.db"


def weights(workplace, name, step=STEPS) -> dict[str, np.ndarray]:
    return load_file(workplace / "runs" / name / f"step-{step:08d}" / "generator.safetensors")


@pytest.fixture(scope="module")
def trained(ray_here, pictures, workplace) -> MlflowClient:
    """A model `plain`, trained without a disturbance."""
    assert train(pictures, workplace, "plain") == 0
    return MlflowClient(store(workplace))


def curve(client, name, metric) -> dict[int, float]:
    version = client.get_model_version_by_alias(name, "current")
    return {entry.step: entry.value for entry in client.get_metric_history(version.run_id, metric)}


def test_the_run_is_on_record(trained):
    assert set(curve(trained, "plain", "loss/generator")) == set(range(2, STEPS + 1, 2))
    version = trained.get_model_version_by_alias("plain", "current")
    run = trained.get_run(version.run_id)
    names = ["adversarial", "content", "entropy", "total_variation", "max_share", "generator", "discriminator"]
    assert {f"loss/{name}" for name in names} <= set(run.data.metrics)
    measured = ["style_distance", "colour_shift", "content_correlation_16px", "entropy", "largest_share", "segments"]
    for measure in measured:
        assert set(curve(trained, "plain", f"validation/{measure}")) == {12, 24}
    assert 0 <= run.data.metrics["time/data_wait_share"] <= 1
    assert run.data.metrics["throughput/patches_per_s"] > 0
    assert run.data.params["crops.num_templates"] == "3"
    assert len(run.data.params["style.digest"]) == 64
    assert run.info.status == "FINISHED"
    assert [entry.path for entry in trained.list_artifacts(version.run_id, "sheets")] == [
        "sheets/step-00000012.png",
        "sheets/step-00000024.png",
    ]
    folder = f"generator/{version.tags['digest'][:16]}"
    assert version.source == f"{run.info.artifact_uri}/{folder}"
    names = ("generator.safetensors", "generator.json", "recipe.json", "card.md", "sheet.png")
    names += ("MLmodel", "pyfunc_model.py", "code", "conda.yaml", "python_env.yaml", "requirements.txt")
    assert {entry.path for entry in trained.list_artifacts(version.run_id, folder)} == {
        f"{folder}/{name}" for name in names
    }
    assert run.data.tags["code_version"] == version.tags["code_version"]
    assert version.tags["steps"] == str(STEPS)


def test_the_registered_model_paints(trained, pictures, workplace):
    out = workplace / "poster"
    args = ["poster", "--model", "models:/plain@current", "--content", pictures / "content" / "portrait.png"]
    args += ["--out", out, "--width", 200, "--tile", 64, "--workers", 2, "--cluster.tracking-uri", store(workplace)]
    assert cli.main([str(arg) for arg in args]) == 0
    shown = np.array(Image.open(out / "poster.png"))
    assert shown.shape == (229, 200, 3)
    assert shown.std() > 10


def test_an_unguided_model_is_trained_registered_and_sampled(ray_here, pictures, workplace):
    """With whole pictures, K drawn for every batch, and two workers that see sets of different sizes."""
    args = ["--style.square-px", 32, "--crops.min-templates", 2, "--crops.num-templates", 4, "--workers", 2]
    assert train(pictures, workplace, "whole", *args, "--steps", 4, recipe="small-unguided") == 0
    client = MlflowClient(store(workplace))
    run = client.get_run(client.get_model_version_by_alias("whole", "current").run_id)
    assert run.data.params["generator.guided"] == "False"
    assert "content.digest" not in run.data.params
    assert "validation/style_distance" in run.data.metrics
    args = ["sample", "--model", "models:/whole@current", "--out", workplace / "sheets", "--seeds", 2, "--templates", 3]
    assert cli.main([*map(str, args), "--cluster.tracking-uri", store(workplace)]) == 0
    assert Image.open(workplace / "sheets" / "between.png").width > 300


def test_a_baseline_takes_the_same_road(ray_here, pictures, workplace):
    """FAMOS' fixed memory: as many templates, at the same places, in training and in the poster."""
    size = ["--generator.memory-size", 3, "--steps", 4]
    assert train(pictures, workplace, "hybrid", *size, recipe="famos") == 0
    args = ["poster", "--model", "models:/hybrid@current", "--content", pictures / "content" / "portrait.png"]
    args += ["--out", workplace / "hybrid", "--tile", 64, "--cluster.tracking-uri", store(workplace)]
    assert cli.main([str(arg) for arg in args]) == 0
    assert Image.open(workplace / "hybrid" / "poster.png").size == (131, 150)
    assert cli.main(["score", str(workplace / "hybrid")]) == 0


def test_the_same_command_again_does_nothing(trained, pictures, workplace, capsys):
    assert train(pictures, workplace, "plain") == 0
    assert "24 of them done" in capsys.readouterr().out
    assert len(trained.search_model_versions("name = 'plain'")) == 1
    assert train(pictures, workplace, "plain", "--alias", "prod") == 0
    assert len(trained.search_model_versions("name = 'plain'")) == 1
    assert str(trained.get_model_version_by_alias("plain", "prod").version) == "1"


def test_a_killed_training_worker_resumes_and_ends_where_it_would_have(trained, pictures, workplace):
    """Killed after a checkpoint, between two of them: the weights at the end are those of the undisturbed run."""
    snapshot = workplace / "runs" / "killed" / "checkpoint_manager_snapshot.json"
    with killing("RayTrainWorker", snapshot.exists) as killed:
        assert train(pictures, workplace, "killed") == 0
    assert killed
    expected, got = weights(workplace, "plain"), weights(workplace, "killed")
    assert all(np.allclose(got[name], expected[name], atol=1e-5) for name in expected)
    plain, resumed = (curve(trained, name, "loss/generator") for name in ("plain", "killed"))
    assert plain.keys() == resumed.keys()
    for step, value in plain.items():
        assert resumed[step] == pytest.approx(value, rel=1e-3)


def test_a_full_disk_costs_no_finished_checkpoint(trained, pictures, workplace, tmp_path, capsys):
    """Filled once the first checkpoint is there; the same command goes on from it when there is room again."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        snapshot = disk / "runs" / "filled" / "checkpoint_manager_snapshot.json"
        with meanwhile(snapshot.exists, lambda: fill(disk), every_s=0.001) as filled:
            assert train(pictures, workplace, "filled", "--out", disk / "runs") == 1
        assert filled
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("magic: ")]
        assert len(lines) == 1
        assert "No space left on device" in lines[0]
        make_room(disk)
        assert train(pictures, workplace, "filled", "--out", disk / "runs") == 0
        assert f"{STEPS} steps, {EVERY} of them done" in capsys.readouterr().out
        expected, got = weights(workplace, "plain"), weights(disk, "filled")
    assert all(np.allclose(got[name], expected[name], atol=1e-5) for name in expected)


def test_a_longer_run_on_object_storage_goes_on(trained, pictures, workplace, s3, capsys):
    """With one worker; test_cluster.py has two, on nodes of their own."""
    out = ("--out", f"{s3}/runs")
    assert train(pictures, workplace, "longer", *out, "--steps", 4) == 0
    assert train(pictures, workplace, "longer", *out, "--steps", 6) == 0
    assert "6 steps, 4 of them done" in capsys.readouterr().out
    first, second = (f"{s3}/runs/longer/step-{step:08d}/generator.safetensors" for step in (4, 6))
    assert fetch(first) != fetch(second)
    assert sorted(str(v.version) for v in trained.search_model_versions("name = 'longer'")) == ["1", "2"]


def test_a_store_without_the_run_is_refused(trained, pictures, workplace, capsys):
    other = f"sqlite:///{workplace}/other.db"
    assert train(pictures, workplace, "plain", "--cluster.tracking-uri", other) == 2
    assert "got a store without it" in capsys.readouterr().err


def test_other_settings_need_another_name(trained, pictures, workplace, capsys):
    assert train(pictures, workplace, "plain", "--losses.entropy", "0.7") == 2
    assert "differs in losses.entropy" in capsys.readouterr().err
