"""`magic models export`: a registered model as a folder on any storage, for another registry or for good."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from cluster.redaction import redact
from cluster.tracking import registry
from cluster.tracking import runs as tracking
from cluster.tracking.registry import ModelVersion
from jobs.models.lookup import verified
from jobs.models.version_records import metrics_of, resolve, run_of
from jobs.settings.models_config import ModelsExportConfig
from pipelines.store.storage import absolute, join, read_json, write_json, write_object

VERSION = "version.json"
"""File of an export: what the registry knew of the version, and the digest of every other file."""
FORMAT = 1


def models_export(config: ModelsExportConfig) -> str:
    """Write a version's files and, last of all, version.json; returns the folder's URL.

    Raises:
        ValueError: for an unknown model, one that was changed, or a folder that holds another export.
    """
    folder, tracked = absolute(config.to), tracking.tracking_uri(config.cluster)
    with tracking.connected(config.cluster) as client, tempfile.TemporaryDirectory() as scratch:
        version = resolve(client, config.model)
        files = registry.download(version, Path(scratch), tracked)
        digest = verified(files, version).packed.digest
        require_free(folder, digest)
        digests = copy_files(files, folder)
        write_json(join(folder, VERSION), describe(client, version, digest) | {"files": digests})
    print(f"wrote {version.uri}, {len(digests)} files, to {folder}")
    return folder


def require_free(folder: str, digest: str) -> None:
    """Refuse a folder that holds another model's export.

    Raises:
        ValueError: if it does.
    """
    there = read_json(join(folder, VERSION))
    if there is not None and there.get("digest") != digest:
        raise ValueError(f"expected a new folder, got an export of {there.get('uri')} in {folder}; choose another")


def copy_files(files: Path, folder: str) -> dict[str, str]:
    """Write all files below a local folder to another URL; returns the SHA-256 of each."""
    digests = {}
    for path in sorted(path for path in files.rglob("*") if path.is_file()):
        name, data = path.relative_to(files).as_posix(), path.read_bytes()
        write_object(join(folder, name), data)
        digests[name] = hashlib.sha256(data).hexdigest()
    return digests


def describe(client: MlflowClient, version: ModelVersion, digest: str) -> dict[str, Any]:
    """What the registry knows of a version, without credentials."""
    run = run_of(client, version)
    return {
        "kind": "model",
        "format": FORMAT,
        "name": version.name,
        "version": version.version,
        "uri": version.uri,
        "digest": digest,
        "created": version.created.isoformat(),
        "tags": redact(dict(version.tags)),
        "run": {
            "id": version.run_id,
            "name": run.name if run else "",
            "params": run.params if run else {},
            "tags": run.tags if run else {},
            "metrics": metrics_of(client, version),
        },
    }
