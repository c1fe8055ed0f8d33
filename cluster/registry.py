"""The model registry: a folder of plain files in, a version with an alias out, and back."""

import re
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

PREFIX = "models:/"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One entry of the registry."""

    name: str
    version: str
    run_id: str
    source: str
    """Where its files are."""

    @property
    def uri(self) -> str:
        """How to name it, for ever."""
        return f"{PREFIX}{self.name}/{self.version}"


def register(
    client: MlflowClient, folder: Path, *, name: str, alias: str, run_id: str, tags: dict[str, str]
) -> ModelVersion:
    """Make a model folder the next version of a name, and let the alias name it.

    A version that this run registered with the same tags before is not made again.
    """
    made = _same(client, name, run_id, tags)
    if made is None:
        client.log_artifacts(run_id, str(folder), artifact_path="generator")
        source = f"{client.get_run(run_id).info.artifact_uri}/generator"
        if not client.search_registered_models(filter_string=f"name = '{name}'"):
            client.create_registered_model(name)
        made = client.create_model_version(name, source, run_id, tags=tags)
    client.set_registered_model_alias(name, alias, str(made.version))
    return _entry(made)


def _same(client: MlflowClient, name: str, run_id: str, tags: dict[str, str]) -> MlflowVersion | None:
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return next((version for version in versions if version.tags == tags), None)


def _entry(version: MlflowVersion) -> ModelVersion:
    return ModelVersion(version.name, str(version.version), version.run_id or "", version.source or "")


def find(client: MlflowClient, uri: str) -> ModelVersion:
    """Look up models:/NAME@ALIAS or models:/NAME/VERSION.

    Raises:
        ValueError: if the URI has another form, or there is no such model, alias or version.
    """
    match = re.fullmatch(r"models:/([^@/]+)(?:@([^@/]+)|/(\d+))", uri)
    if match is None:
        raise ValueError(f"expected models:/NAME@ALIAS or models:/NAME/VERSION, got {uri!r}; write it so")
    name, alias, version = match.groups()
    try:
        entry = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
    except MlflowException as error:
        known = ", ".join(model.name for model in client.search_registered_models()) or "none"
        raise ValueError(
            f"expected a registered model, got {uri!r}, which is not there; registered are: {known}"
        ) from error
    return _entry(entry)


def download(entry: ModelVersion, target: Path, tracking_uri: str) -> Path:
    """Fetch a version's files; returns their folder.

    Raises:
        ValueError: if they are not where the registry says.
    """
    try:
        return Path(download_artifacts(artifact_uri=entry.source, dst_path=str(target), tracking_uri=tracking_uri))
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected the files of {entry.uri} at {entry.source}, got: {reason}; restore them") from error
