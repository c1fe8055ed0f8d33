"""MLflow runs: parameters, metrics and pictures of one training."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from numpy import ndarray

from cluster.config import ClusterConfig

EXPERIMENT = "magic"
SQLITE = "sqlite:///"
logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports the making of a database line by line


def tracking_uri(config: ClusterConfig) -> str:
    """The store that config, the environment or the default names."""
    uri = config.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    if uri.startswith(SQLITE):  # other processes start in other folders
        uri = SQLITE + str(Path(uri.removeprefix(SQLITE)).absolute())
    return uri


def open_store(config: ClusterConfig) -> MlflowClient:
    """A client of the store. Creates a missing database: do it once, before several processes use it.

    Raises:
        ValueError: if the store cannot be reached.
    """
    uri = tracking_uri(config)
    if uri.startswith(SQLITE):
        Path(uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    try:
        client = MlflowClient(uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected an MLflow store at {uri}, got: {reason}; check the address") from error
    return client


def start_run(client: MlflowClient, config: ClusterConfig, name: str, params: Mapping[str, Any]) -> str:
    """A new run with its parameters; returns its id."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        local = tracking_uri(config).startswith("sqlite:")
        artifacts = config.artifacts or ("mlruns" if local else None)
        if artifacts and "://" not in artifacts:
            artifacts = Path(artifacts).absolute().as_uri()
        experiment_id = client.create_experiment(EXPERIMENT, artifact_location=artifacts)
    else:
        experiment_id = experiment.experiment_id
    run_id: str = client.create_run(experiment_id, run_name=name).info.run_id
    client.log_batch(run_id, params=[Param(key, str(value)[:6000]) for key, value in flatten(params).items()])
    return run_id


def known_run(client: MlflowClient, run_id: str) -> str:
    """The id of a run that was begun before.

    Raises:
        ValueError: if the store does not have it.
    """
    try:
        client.get_run(run_id)
    except MlflowException as error:
        raise ValueError(
            f"expected the MLflow run {run_id} of this training's beginning, got a store without it; "
            "name the store it was begun in (--cluster.tracking-uri)"
        ) from error
    return run_id


@contextmanager
def running(client: MlflowClient, run_id: str) -> Iterator[None]:
    """Mark a run as running within the block, and as what became of it afterwards."""
    client.update_run(run_id, status="RUNNING")
    try:
        yield
    except BaseException as error:
        client.set_terminated(run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


class RunLog:
    """Writes to a run that exists, from any process. Metrics go out in the background."""

    def __init__(self, uri: str, run_id: str) -> None:
        self.client = MlflowClient(uri)
        self.run_id = run_id

    def metrics(self, values: Mapping[str, float], *, step: int, time_ms: int) -> None:
        """Numbers of one step."""
        entries = [Metric(key, value, time_ms, step) for key, value in values.items()]
        self.client.log_batch(self.run_id, metrics=entries, synchronous=False)

    def picture(self, picture: ndarray, name: str) -> None:
        """A picture [H W 3], uint8, as an artifact of that name."""
        self.client.log_image(self.run_id, picture, artifact_file=name)

    def close(self) -> None:
        """Wait until everything is written."""
        mlflow.flush_async_logging()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
