"""MLflow runs: parameters, metrics and pictures of one training."""

import logging
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.async_logging.run_operations import RunOperations
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT
from numpy import ndarray

from cluster.code_version import code_version, git_commit
from cluster.connection import ClusterConfig
from cluster.environment import SUBMITTED, prepare
from cluster.redaction import redacted

EXPERIMENT = "magic"
CODE_VERSION = "code_version"
"""Tag of runs and of model versions."""
SQLITE = "sqlite:///"
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
MOST_PENDING = 100
log = logging.getLogger(__name__)
logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports the making of a database line by line


def tracking_uri(config: ClusterConfig) -> str:
    """The store that config, the environment or the default names.

    Raises:
        ValueError: if a submitted job is told of none: a file of its own would be gone with its machine.
    """
    uri = config.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if os.environ.get(SUBMITTED) and (uri is None or uri.startswith("sqlite:")):
        raise ValueError(
            f"expected an MLflow server for a submitted job, got {uri or 'none'}; set MLFLOW_TRACKING_URI on the "
            "cluster's machines, or give --cluster.tracking-uri"
        )
    uri = uri or f"{SQLITE}mlflow.db"
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
    prepare()
    try:
        client = MlflowClient(uri, registry_uri=uri)
        with _asking_briefly():
            client.search_experiments(max_results=1)
    except MlflowException as error:
        reason = redacted(str(error).splitlines()[0])
        advice = "check the address, and MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD if it asks for them"
        raise ValueError(f"expected an MLflow store at {redacted(uri)}, got: {reason}; {advice}") from error
    return client


@contextmanager
def _asking_briefly() -> Iterator[None]:
    """Within the block, a server that does not answer is soon given up where somebody waits for it.

    Elsewhere, MLflow asks again for two minutes: a server that is restarted costs a job nothing.
    """
    if os.environ.get(SUBMITTED) or RETRIES in os.environ:
        yield
        return
    os.environ[RETRIES] = "3"
    try:
        yield
    finally:
        del os.environ[RETRIES]


@contextmanager
def connected(config: ClusterConfig) -> Iterator[MlflowClient]:
    """A client of the store; whatever the store refuses within the block is told in one line.

    Raises:
        ValueError: if the store cannot be reached.
        RuntimeError: if it refuses something.
    """
    client = open_store(config)
    try:
        yield client
    except MlflowException as error:
        reason = redacted(str(error).splitlines()[0])
        raise RuntimeError(f"the MLflow store at {redacted(tracking_uri(config))} says: {reason}") from error


def start_run(
    client: MlflowClient,
    config: ClusterConfig,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> str:
    """A new run with its parameters, tagged with the version of the code unless the tags tell it; returns its id."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        local = tracking_uri(config).startswith("sqlite:")
        artifacts = config.artifacts or ("mlruns" if local else None)
        if artifacts and "://" not in artifacts:
            artifacts = Path(artifacts).absolute().as_uri()
        experiment_id = client.create_experiment(EXPERIMENT, artifact_location=artifacts)
    else:
        experiment_id = experiment.experiment_id
    tags = dict(tags) if tags else _code_tags()
    run_id: str = client.create_run(experiment_id, run_name=name, tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(key, str(value)[:6000]) for key, value in flatten(params).items()])
    return run_id


def _code_tags() -> dict[str, str]:
    commit = git_commit()
    return {CODE_VERSION: code_version(), **({MLFLOW_GIT_COMMIT: commit} if commit else {})}


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
        self.lost = 0
        """Entries that the store did not take."""
        self._pending: deque[RunOperations] = deque()

    def metrics(self, values: Mapping[str, float], *, step: int, time_ms: int) -> None:
        """Numbers of one step."""
        entries = [Metric(key, value, time_ms, step) for key, value in values.items()]
        written = self.client.log_batch(self.run_id, metrics=entries, synchronous=False)
        assert written is not None, "MLflow wrote at once"
        self._pending.append(written)
        self._settle(MOST_PENDING)

    def picture(self, picture: ndarray, name: str) -> None:
        """A picture [H W 3], uint8, as an artifact of that name."""
        self.client.log_image(self.run_id, picture, artifact_file=name)

    def close(self) -> None:
        """Wait until everything is written."""
        self._settle(0)  # mlflow.flush_async_logging would wait for the global store, whichever that is
        if self.lost:
            log.warning("%d entries of the run's curves are lost", self.lost)

    def _settle(self, leave: int) -> None:
        """Wait for the oldest entries."""
        while len(self._pending) > leave:
            try:
                self._pending.popleft().wait()  # type: ignore[no-untyped-call]
            except MlflowException:  # MLflow has logged the reason
                self.lost += 1


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
