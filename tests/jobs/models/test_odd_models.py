"""Registries in which others wrote, exports that somebody edited, and a loaded model that is asked for too much."""

import hashlib
import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from cluster.tracking import registry, runs
from jobs.models.comparing import models_compare
from jobs.models.listing import models_list
from jobs.models.lookup import find_model
from jobs.models.promoting import models_promote
from jobs.models.showing import models_show
from jobs.models.transfer import VERSION_FILE, models_import
from jobs.settings.models_config import (
    ModelsCompareConfig,
    ModelsImportConfig,
    ModelsListConfig,
    ModelsPromoteConfig,
    ModelsShowConfig,
)
from magic.networks.packed import CONFIG, WEIGHTS
from tests.jobs.models.registered import files_of, registered

# in a registry


@pytest.fixture(scope="module")
def foreign(client: MlflowClient, cluster):
    """A version that another program registered: without a recipe, a digest and a run, and with odd tags."""
    client.create_registered_model("foreign")
    tags = {"metrics": '{"validation/style_distance": "near"}', "steps": "many\n\x1b[31m", "colour": "\u202ered"}
    made = client.create_model_version("foreign", "file:///nowhere", tags=tags)
    client.set_registered_model_tag("foreign", "promotions", '[{"alias": 3}]')
    return registry.find(client, f"models:/foreign/{made.version}")


def test_one_odd_version_spoils_no_list(cluster, city, foreign, capsys, caplog):
    assert {version.name for version in models_list(ModelsListConfig(cluster=cluster))} >= {"city", "foreign"}
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("foreign"))
    assert line.split()[:3] == ["foreign", "1", r"many\n\x1b[31m"]
    assert "12.5" in shown
    assert "no measures of models:/foreign/1 are known: its tag metrics is no object of numbers" in caplog.text


def test_an_odd_version_is_shown_as_far_as_it_is_known(cluster, foreign, capsys):
    with pytest.raises(
        ValueError, match=r"expected the files of models:/foreign/1 at file:///nowhere, got: .*; restore"
    ):
        models_show(ModelsShowConfig(what=foreign.uri, cluster=cluster))
    shown = capsys.readouterr().out
    for said in ("run unknown, which is not in this store", r"colour      \u202ered", "none was registered"):
        assert said in shown
    assert "expected the promotions of foreign in the tag promotions of the registered model, got 0.alias: " in shown
    assert all(line.isprintable() for line in shown.splitlines())


def test_an_odd_version_is_not_promoted_nor_compared(client, cluster, city, foreign):
    with pytest.raises(ValueError, match="expected the promotions of foreign in the tag promotions"):
        models_promote(ModelsPromoteConfig(model=foreign.uri, alias="prod", why="so", cluster=cluster))
    with pytest.raises(ValueError, match="expected the files of models:/foreign/1"):
        models_compare(ModelsCompareConfig(models=("city", foreign.uri), cluster=cluster))
    assert client.get_registered_model("foreign").aliases == {}


def test_a_sheet_that_is_no_picture_is_told_so(client, cluster, city, tmp_path):
    version = registered(client, cluster, "scribble", seed=8)
    (files_of(version) / "sheet.png").write_bytes(b"no picture")
    config = ModelsCompareConfig(models=("city", version.uri), sheet=f"{tmp_path}/s.png", cluster=cluster)
    with pytest.raises(ValueError, match=r"expected a picture in sheet\.png of models:/scribble/1, got another file"):
        models_compare(config)


# as an export


def edited(exported: Path, folder: Path, change) -> Path:
    """A copy of an export with another version.json."""
    shutil.copytree(exported, folder / "edited")
    told = json.loads((folder / "edited" / VERSION_FILE).read_text())
    change(told)
    (folder / "edited" / VERSION_FILE).write_text(json.dumps(told))
    return folder / "edited"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told["tags"].update(steps="many"), r"a number of steps in tags\.steps of .*, got 'many'"),
        (lambda told: told["tags"].update(steps="9" * 40), r"a number of steps in tags\.steps of .*, got '9999"),
        (lambda told: told["tags"].update(steps=24), r"version\.json, got tags\.steps: Input should be a valid string"),
        (lambda told: told.update(tags=[]), r"version\.json, got tags: Input should be an object"),
        (
            lambda told: told["run"]["metrics"].update(loss="low"),
            r"got run\.metrics\.loss: Input should be a valid num",
        ),
        (lambda told: told["run"]["metrics"].update(loss=float("nan")), "'NaN' is no number that can be computed with"),
        (lambda told: told["run"].update(colour=1), r"got run\.colour: Unexpected keyword argument"),
        (lambda told: told.update(files={}), "an export with weights, settings and recipe"),
        (lambda told: told.update(format=99), r"format 2\) at .*, got kind 'model', format 99"),
        (lambda told: told.update(created=json.loads("[" * 400 + "]" * 400)), "nested too deeply"),
    ],
)
def test_an_edited_export_is_refused_by_file_and_field(exported, elsewhere, tmp_path, change, message):
    folder = edited(exported, tmp_path, change)
    before = len(registry.search(runs.open_store(elsewhere)))
    with pytest.raises(ValueError, match=message) as told:
        models_import(ModelsImportConfig(folder=str(folder), name="edited", cluster=elsewhere))
    assert str(told.value).isprintable()
    assert len(registry.search(runs.open_store(elsewhere))) == before


def test_an_export_whose_parts_agree_on_a_model_that_is_none_leaves_no_run(client, elsewhere, exported, tmp_path):
    folder = edited(exported, tmp_path, lambda told: None)
    told = json.loads((folder / VERSION_FILE).read_text())
    (folder / CONFIG).write_text((folder / CONFIG).read_text().replace('"channels": 8', '"channels": 1000000000'))
    config, weights = (folder / CONFIG).read_bytes(), (folder / WEIGHTS).read_bytes()
    told["files"][CONFIG] = hashlib.sha256(config).hexdigest()
    told["digest"] = hashlib.sha256(config + b"\0" + weights).hexdigest()
    (folder / VERSION_FILE).write_text(json.dumps(told))
    with pytest.raises(
        ValueError, match=rf"{folder}: generator\.json: expected channels in 1\.\.2048, .* got 1000000000"
    ):
        models_import(ModelsImportConfig(folder=str(folder), name="bomb", cluster=elsewhere))
    store = runs.open_store(elsewhere)
    experiment = store.get_experiment_by_name("magic")
    names = [] if experiment is None else [run.info.run_name for run in store.search_runs([experiment.experiment_id])]
    assert "bomb" not in names


# loaded by mlflow.pyfunc


@pytest.fixture(scope="module")
def loaded(cluster, city):
    """The model as others load it, and without what MLflow checks before it."""
    mlflow.set_tracking_uri(cluster.tracking_uri)
    try:
        return mlflow.pyfunc.load_model(city.uri).unwrap_python_model()
    finally:
        mlflow.set_tracking_uri(None)  # it would otherwise stay in MLFLOW_TRACKING_URI, for all that follows


CONTENT, TEMPLATES = np.zeros((16, 20, 3), np.uint8), np.zeros((2, 16, 16, 3), np.uint8)


def test_a_model_takes_its_parameters_defaults(loaded):
    made = loaded.predict(None, {"content": CONTENT, "templates": TEMPLATES})
    assert made["output"].shape == (16, 20, 3)
    assert made["labels"].max() < 2


@pytest.mark.parametrize(
    ("inputs", "params", "message"),
    [
        ({"templates": TEMPLATES}, {}, r"a dictionary of templates and content, no more, got \['templates'\]"),
        ({"content": CONTENT, "templates": TEMPLATES, "x": 1}, {}, "a dictionary of templates and content, no more"),
        (TEMPLATES, {}, "a dictionary of templates and content, no more, got 'ndarray'"),
        (
            {"content": CONTENT.astype(float) * np.nan},
            {},
            r"content to be uint8 \[H W 3\], .*, got 'float64 \[16, 20, 3",
        ),
        ({"content": CONTENT[..., :1]}, {}, r"content to be uint8 \[H W 3\], and not empty, got 'uint8 \[16, 20, 1\]'"),
        ({"content": CONTENT[:0]}, {}, r"content to be uint8 \[H W 3\], and not empty, got 'uint8 \[0, 20, 3\]'"),
        ({"content": CONTENT.tolist()}, {}, r"content to be uint8 \[H W 3\], and not empty, got 'list'"),
        ({"templates": TEMPLATES[0]}, {}, r"templates to be uint8 \[K h w 3\], and not empty, got 'uint8 \[16, 16, 3"),
        ({"templates": TEMPLATES[:0]}, {}, r"templates to be uint8 \[K h w 3\], and not empty, got 'uint8 \[0, 16"),
        ({}, {"width": -1}, r"width in 0\.\.100000000, got -1"),
        ({}, {"width": 99_000_000}, "at most 100000000 pixels in one pass"),
        ({}, {"width": 8.5}, "width of the type int, got 8.5"),
        ({}, {"num_templates": 10**9}, r"num_templates in 0\.\.65535, got 1000000000"),
        ({}, {"seed": -1}, r"seed in 0\.\..*, got -1"),
        ({}, {"mirror": "no"}, "mirror of the type bool, got 'no'"),
        ({}, {"precision": "fp8"}, "a precision of fp32, bf16, fp16, got 'fp8'"),
        ({}, {"colour": 1}, "no parameters but num_templates, seed"),
    ],
)
def test_what_a_loaded_model_cannot_paint_is_one_line(loaded, inputs, params, message):
    whole = inputs if not isinstance(inputs, dict) or len(inputs) > 2 or message.startswith("a dict") else None
    given = {"content": CONTENT, "templates": TEMPLATES, **inputs} if whole is None else whole
    with pytest.raises(ValueError, match=f"expected {message}") as told:
        loaded.predict(None, given, params)
    assert str(told.value).isprintable()


def test_a_recipe_and_a_configuration_are_told_by_the_models_name(client, cluster):
    version = registered(client, cluster, "bent", seed=9)
    for tag in ("digest", "recipe_digest"):
        client.delete_model_version_tag("bent", version.version, tag)
    path = files_of(version) / CONFIG
    path.write_text(path.read_text().replace('"depth": 2', '"depth": 60'))
    with pytest.raises(ValueError, match=r"models:/bent/1: generator\.json: expected a depth in 1\.\.8, got 60"):
        find_model(version.uri, cluster).generator()
