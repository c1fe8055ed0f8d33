"""The model registry: a folder of plain files in, a version with an alias out, and back."""

import re
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
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
    """Upload a model folder to its run and make it the next version, which the alias then names."""
    client.log_artifacts(run_id, str(folder), artifact_path="generator")
    source = f"{client.get_run(run_id).info.artifact_uri}/generator"
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    made = client.create_model_version(name, source, run_id, tags=tags)
    client.set_registered_model_alias(name, alias, made.version)
    return ModelVersion(name, str(made.version), run_id, source)


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
    return ModelVersion(name, str(entry.version), entry.run_id or "", entry.source or "")


def download(entry: ModelVersion, target: Path, tracking_uri: str) -> Path:
    """Fetch a version's files; returns their folder."""
    return Path(download_artifacts(artifact_uri=entry.source, dst_path=str(target), tracking_uri=tracking_uri))
