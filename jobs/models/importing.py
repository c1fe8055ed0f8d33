"""`magic models import`: an exported model becomes a version in another registry."""

import hashlib
import json
import time
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

from cluster.tracking import registry
from cluster.tracking import runs as tracking
from cluster.tracking.promotion import PROMOTED
from cluster.tracking.registry import ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.exporting import FORMAT, VERSION
from jobs.models.lookup import MODEL_FILES, Model, same_digest
from jobs.models.model_folder import SHEET, STEPS, Registrable, register_model
from jobs.settings.models_config import ModelsImportConfig
from magic.checks import require
from magic.networks.packed import CONFIG, RECIPE, WEIGHTS, Packed
from pipelines.store.storage import absolute, join, read_json, read_object

UNKNOWN = "unknown"
IMPORTED_FROM = "imported_from"
"""Tag of an imported version and of its run: the version's URI in the registry that it was exported from."""


def models_import(config: ModelsImportConfig) -> ModelVersion:
    """Register an exported model, unless this name has a version with its digest; returns the version.

    Only weights, settings, recipe and sample sheet are taken over. The code by which others load the model is this
    installation's own: a folder from somewhere else brings none into the registry.

    Raises:
        ValueError: if the folder is no export, or if any of those files was changed.
    """
    folder = absolute(config.folder)
    told = exported(folder)
    files = {name: checked(folder, name, told) for name in (*MODEL_FILES, SHEET) if name in told["files"]}
    model = Model(Packed(files[CONFIG].decode(), files[WEIGHTS]), json.loads(files[RECIPE]), folder)
    same_digest("model", folder, told["digest"], model.packed.digest)
    with tracking.connected(config.cluster) as client:
        made = next(iter(registry.find_digest(client, model.packed.digest, config.name)), None)
        if made is None:
            run_id = begin_run(client, config, told)
            with tracking.running(client, run_id):
                made = register_model(client, registrable(config.name, run_id, told, model, files.get(SHEET)))
            print(f"registered {made.uri}")
        else:
            print(f"{made.uri} is this model already")
        if config.alias:
            registry.set_alias(client, made, config.alias)
            print(f"{made.uri} is models:/{made.name}@{config.alias}")
        return made


def exported(folder: str) -> dict[str, Any]:
    """What an export tells of itself.

    Raises:
        ValueError: if the folder is none, or of another format.
    """
    told = read_json(join(folder, VERSION))
    if not isinstance(told, dict) or told.get("kind") != "model":
        raise ValueError(f"expected a folder that magic models export wrote, got {folder} without a model's {VERSION}")
    require(told["format"] == FORMAT, f"an export of format {FORMAT}", told["format"], "update MAGIC")
    missing = [name for name in MODEL_FILES if name not in told["files"]]
    require(not missing, "an export with weights, settings and recipe", f"none of {missing}", "export the model again")
    return told


def checked(folder: str, name: str, told: dict[str, Any]) -> bytes:
    """A file of an export.

    Raises:
        ValueError: if it is gone, or was changed.
    """
    data = read_object(join(folder, name))
    if data is None:
        raise ValueError(f"expected {name} in {folder}, got none; export the model again")
    same_digest(f"file {name}", folder, told["files"][name], hashlib.sha256(data).hexdigest())
    return data


def begin_run(client: MlflowClient, config: ModelsImportConfig, told: dict[str, Any]) -> str:
    """A run with the settings and measures of the one that trained the model; returns its id."""
    run, tags = told["run"], told["tags"]
    carried = {**run["tags"], CODE_VERSION: tags.get(CODE_VERSION, UNKNOWN), IMPORTED_FROM: told["uri"]}
    run_id = tracking.start_run(client, config.cluster, config.name, run["params"], carried)
    now, step = int(time.time() * 1000), int(tags.get(STEPS, 0))
    client.log_batch(run_id, metrics=[Metric(name, value, now, step) for name, value in run["metrics"].items()])
    return run_id


def registrable(name: str, run_id: str, told: dict[str, Any], model: Model, sheet: bytes | None) -> Registrable:
    """The model as it is registered here; promotions stay where they happened."""
    tags = {key: value for key, value in told["tags"].items() if not key.startswith(PROMOTED)}
    return Registrable(
        name=name,
        model=model,
        run_id=run_id,
        steps=tags.get(STEPS, ""),
        metrics=told["run"]["metrics"],
        code_version=tags.get(CODE_VERSION, UNKNOWN),
        sheet=sheet,
        tags={**tags, IMPORTED_FROM: told["uri"]},
    )
