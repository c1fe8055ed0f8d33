"""What the registry knows of a version, for people and for other registries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cluster.tracking import registry
from cluster.tracking.registry import CURRENT, PREFIX, ModelVersion
from jobs.models.model_folder import METRICS, metrics_of_run
from magic.redaction import redact


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The run that made a version."""

    name: str
    status: str
    params: dict[str, str]
    """Without credentials."""
    tags: dict[str, str]


def resolve(client: MlflowClient, name: str) -> ModelVersion:
    """The version of a models:/ URI, or the current one of a name.

    Raises:
        ValueError: if there is no such version.
    """
    return registry.find(client, name if name.startswith(PREFIX) else f"{PREFIX}{name}@{CURRENT}")


def run_of(client: MlflowClient, version: ModelVersion) -> RunRecord | None:
    """The run that made a version, or None if the store no longer has it."""
    try:
        run = client.get_run(version.run_id)
    except MlflowException:
        return None
    own = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    params: dict[str, str] = redact(run.data.params)
    return RunRecord(run.info.run_name or "", run.info.status, params, redact(own))


def metrics_of(client: MlflowClient, version: ModelVersion) -> dict[str, float]:
    """Measures of a version when it was registered; those of its run, if it was registered without."""
    if METRICS in version.tags:
        metrics: dict[str, float] = json.loads(version.tags[METRICS])
        return metrics
    try:
        return metrics_of_run(client, version.run_id)
    except MlflowException:
        return {}


def block(title: str, entries: Mapping[str, Any]) -> list[str]:
    """A title over indented entries."""
    width = max(map(len, entries), default=0)
    return [title, *(f"  {name.ljust(width)}  {value}" for name, value in entries.items())] if entries else []
