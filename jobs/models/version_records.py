"""What the registry knows of a version, for people and for other registries."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import TypeAdapter, ValidationError

from cluster.tracking import registry
from cluster.tracking.registry import CURRENT, PREFIX, ModelVersion
from cluster.tracking.store_errors import is_not_there
from jobs.models.model_folder import METRICS, metrics_of_run
from magic.checks import printable
from magic.redaction import redact

log = logging.getLogger(__name__)
_METRICS = TypeAdapter(dict[str, float])


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
    """The run that made a version, or None if the store no longer has it, or nobody knows which it was."""
    if not version.run_id:
        return None
    try:
        run = client.get_run(version.run_id)
    except MlflowException as error:
        if is_not_there(error):
            return None
        raise
    own = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    params: dict[str, str] = redact(run.data.params)
    return RunRecord(run.info.run_name or "", run.info.status, params, redact(own))


def metrics_of(client: MlflowClient, version: ModelVersion) -> dict[str, float]:
    """Measures of a version when it was registered; those of its run, if it was registered without."""
    if METRICS in version.tags:
        return registered_metrics(version)
    return metrics_of_run(client, version.run_id) if run_of(client, version) else {}


def registered_metrics(version: ModelVersion) -> dict[str, float]:
    """Measures of a version when it was registered. None, with a warning, if their tag holds something else."""
    try:
        return _METRICS.validate_json(version.tags.get(METRICS, "{}"), strict=True)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        log.warning("no measures of %s are known: its tag %s is no object of numbers: %s", version.uri, METRICS, reason)
        return {}


def block(title: str, entries: Mapping[str, Any]) -> list[str]:
    """A title over indented entries, a line each, whatever others wrote into them."""
    width = max(map(len, entries), default=0)
    lines = [printable(f"  {name.ljust(width)}  {value}") for name, value in entries.items()]
    return [printable(title), *lines] if entries else []
