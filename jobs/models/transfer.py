"""`magic models export` and `magic models import`: a registered model as a folder on any storage, and back."""

import hashlib
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mlflow import MlflowClient
from mlflow.entities import Metric

from cluster.tracking import registry, runs
from cluster.tracking.promotion import PROMOTED
from cluster.tracking.registry import ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.lookup import MAX_BYTES, MODEL_FILES, Model, packed_from, require_same_digest, verified
from jobs.models.model_folder import SHEET, STEPS, Registrable, register_model
from jobs.models.recipe import RECIPE, Recipe
from jobs.models.version_records import metrics_of, resolve, run_of
from jobs.settings.models_config import ModelsExportConfig, ModelsImportConfig
from magic.checks import printable, require, shown
from magic.networks.packed import CONFIG, WEIGHTS, Packed
from magic.redaction import redact
from pipelines.storage.claims import claim
from pipelines.storage.door import MAX_OBJECT_BYTES, absolute, join, read_object, write_object
from pipelines.storage.outputs import require_folder
from pipelines.storage.records import Record

VERSION_FILE = "version.json"
"""File of an export, written last: what the registry knew of the version, and the digest of every other file."""
UNKNOWN = "unknown"
MAX_STEPS_DIGITS = 15
"""Of a number of training steps."""
IMPORTED_FROM = "imported_from"
"""Tag of an imported version and of its run: the version's URI in the registry that it was exported from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedRun:
    """The run that trained an exported model."""

    id: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedVersion(Record):
    """What an export tells of itself."""

    KIND: ClassVar[str] = "model"
    FORMAT: ClassVar[int] = 2
    NOUN: ClassVar[str] = "a folder that magic models export wrote"

    name: str
    version: str
    uri: str
    digest: str
    """Of the model."""
    created: str
    """ISO 8601."""
    tags: dict[str, str]
    run: ExportedRun
    files: dict[str, str]
    """SHA-256 of every file, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportIdentity(Record):
    """What the folder of an export belongs to."""

    KIND: ClassVar[str] = "model export"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the identity of a model's export"

    digest: str
    """Of the model."""


def models_export(config: ModelsExportConfig) -> str:
    """Write a version's files and, last of all, version.json; returns the folder's URL.

    Raises:
        ValueError: for an unknown model, one that was changed, or a folder that holds anything but its export.
    """
    folder, tracking_uri = absolute(config.to), runs.tracking_uri(config.cluster)
    require_folder(folder)
    with runs.connected(config.cluster) as client, tempfile.TemporaryDirectory() as scratch:
        version = resolve(client, config.model)
        files = registry.download(version, Path(scratch), tracking_uri)
        digest = verified(files, version).packed.digest
        claim(folder, ExportIdentity(digest=digest), "the export's folder")
        exported = _exported(client, version, digest, _copy_files(files, folder))
        exported.write(join(folder, VERSION_FILE))
    print(f"wrote {version.uri}, {len(exported.files)} files, to {printable(folder)}")
    return folder


def _copy_files(files: Path, folder: str) -> dict[str, str]:
    """Write all files below a local folder to another URL; returns the SHA-256 of each."""
    digests = {}
    for path in sorted(path for path in files.rglob("*") if path.is_file()):
        name, data = path.relative_to(files).as_posix(), path.read_bytes()
        write_object(join(folder, name), data)
        digests[name] = hashlib.sha256(data).hexdigest()
    return digests


def _exported(client: MlflowClient, version: ModelVersion, digest: str, files: dict[str, str]) -> ExportedVersion:
    """What the registry knows of a version, without credentials."""
    run = run_of(client, version)
    return ExportedVersion(
        name=version.name,
        version=version.version,
        uri=version.uri,
        digest=digest,
        created=version.created.isoformat(),
        tags=redact(dict(version.tags)),
        run=ExportedRun(
            id=version.run_id,
            name=run.name if run else "",
            params=run.params if run else {},
            tags=run.tags if run else {},
            metrics={name: value for name, value in metrics_of(client, version).items() if math.isfinite(value)},
        ),
        files=files,
    )


def models_import(config: ModelsImportConfig) -> ModelVersion:
    """Register an exported model, unless this name has a version with its digest; returns the version.

    Only weights, settings, recipe and sample sheet are taken over. The code by which others load the model is this
    installation's own: a folder from somewhere else brings none into the registry.

    Raises:
        ValueError: if the folder is no export, or if any of those files is damaged or was changed.
    """
    folder = absolute(config.folder)
    exported = read_export(folder)
    files = {name: _checked(folder, name, exported) for name in (*MODEL_FILES, SHEET) if name in exported.files}
    packed = packed_from(files[CONFIG], files[WEIGHTS], folder)
    require_same_digest("model", folder, exported.digest, packed.digest)
    recipe = Recipe.from_bytes(files[RECIPE], join(folder, RECIPE))
    Model(packed, recipe, folder).generator()  # a damaged one is refused before anything is written
    with runs.connected(config.cluster) as client:
        version = next(iter(registry.find_digest(client, packed.digest, config.name)), None)
        if version is None:
            run_id = _begin_run(client, config, exported)
            with runs.running(client, run_id):
                model = _registrable(config.name, run_id, exported, packed, recipe, files.get(SHEET))
                version = register_model(client, model)
            print(f"registered {version.uri}")
        else:
            print(f"{version.uri} is this model already")
        if config.alias:
            registry.set_alias(client, version, config.alias)
            print(f"{version.uri} is models:/{version.name}@{config.alias}")
        return version


def read_export(folder: str) -> ExportedVersion:
    """What an export tells of itself.

    Raises:
        ValueError: if the folder is none, or one of another format.
    """
    exported = ExportedVersion.read(join(folder, VERSION_FILE))
    if exported is None:
        raise ValueError(
            f"expected a folder that magic models export wrote, got {shown(folder)} without a model's {VERSION_FILE}; "
            "name another"
        )
    missing = [name for name in MODEL_FILES if name not in exported.files]
    require(not missing, "an export with weights, settings and recipe", f"none of {missing}", "export the model again")
    steps = exported.tags.get(STEPS, "0")
    require(
        steps.isascii() and steps.isdecimal() and len(steps) <= MAX_STEPS_DIGITS,
        f"a number of steps in tags.{STEPS} of {join(folder, VERSION_FILE)}",
        steps,
        "export the model again",
    )
    return exported


def _checked(folder: str, name: str, exported: ExportedVersion) -> bytes:
    """A file of an export.

    Raises:
        ValueError: if it is gone, or was changed.
    """
    data = read_object(join(folder, name), MAX_BYTES.get(name, MAX_OBJECT_BYTES))
    if data is None:
        raise ValueError(f"expected {name} in {shown(folder)}, got none; export the model again")
    require_same_digest(f"file {name}", folder, exported.files[name], hashlib.sha256(data).hexdigest())
    return data


def _begin_run(client: MlflowClient, config: ModelsImportConfig, exported: ExportedVersion) -> str:
    """A run with the settings and measures of the one that trained the model; returns its id."""
    run, tags = exported.run, exported.tags
    carried = {**run.tags, CODE_VERSION: tags.get(CODE_VERSION, UNKNOWN), IMPORTED_FROM: exported.uri}
    run_id = runs.start_run(client, config.cluster, config.name, run.params, carried)
    now_ms, step = int(time.time() * 1000), int(tags.get(STEPS, 0))
    client.log_batch(run_id, metrics=[Metric(name, value, now_ms, step) for name, value in run.metrics.items()])
    return run_id


def _registrable(
    name: str, run_id: str, exported: ExportedVersion, packed: Packed, recipe: Recipe, sheet: bytes | None
) -> Registrable:
    """The model as it is registered here; promotions stay where they happened."""
    tags = {key: value for key, value in exported.tags.items() if not key.startswith(PROMOTED)}
    return Registrable(
        name=name,
        packed=packed,
        recipe=recipe,
        run_id=run_id,
        steps=tags.get(STEPS, ""),
        metrics=exported.run.metrics,
        code_version=tags.get(CODE_VERSION, UNKNOWN),
        sheet=sheet,
        tags={**tags, IMPORTED_FROM: exported.uri},
    )
