"""MLflow runs: the parameters, metrics and pictures of one training or import, and the store that holds them."""

import logging
import os
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from numpy import ndarray

from cluster.code_version import code_version, git_commit
from cluster.connection import ClusterConfig
from cluster.environment import SUBMITTED_VARIABLE, prepare
from cluster.tracking.private_mlflow import GIT_COMMIT_TAG, PendingWrite
from cluster.tracking.store_errors import is_not_there, reason_of
from magic.redaction import redact, redacted

EXPERIMENT = "magic"
CODE_VERSION = "code_version"
"""Tag of runs and of model versions: the version of the code."""
SQLITE = "sqlite:///"
RETRIES_VARIABLE = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
MAX_PARAM_CHARS = 6000
"""MLflow refuses longer values of parameters."""
BUSY_TIMEOUT_S = 60
"""How long to wait for a database that another process is writing to."""
MAX_PENDING_WRITES = 100
"""Steps whose metrics may wait in memory. With more, a run's log waits for the store."""
log = logging.getLogger(__name__)
logging.getLogger("mlflow").setLevel(logging.WARNING)  # at INFO it logs every step of creating a database


def tracking_uri(config: ClusterConfig) -> str:
    """The address of the store: that of the config, else of MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.

    The path of a SQLite file is made absolute, ~ being the home folder, because other processes start in other folders.

    Raises:
        ValueError: if a submitted job has no server. A SQLite file would be lost with the job's machine.
    """
    uri = config.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if os.environ.get(SUBMITTED_VARIABLE) and (uri is None or uri.startswith("sqlite:")):
        raise ValueError(
            f"expected an MLflow server for a submitted job, got {uri or 'none'}; set MLFLOW_TRACKING_URI on the "
            "cluster's machines, or give --cluster.tracking-uri"
        )
    uri = uri or f"{SQLITE}mlflow.db"
    if uri.startswith(SQLITE):
        uri = SQLITE + str(_absolute(uri.removeprefix(SQLITE)))
    return uri


def open_store(config: ClusterConfig) -> MlflowClient:
    """A client of the store. The store has answered once.

    A missing database is created. Call this in one process before others use the store, because two processes must not
    create it at once.

    Raises:
        ValueError: if the store cannot be reached.
    """
    uri = tracking_uri(config)
    if uri.startswith(SQLITE):
        _require_usable(Path(uri.removeprefix(SQLITE).partition("?")[0]))
    prepare()
    try:
        client = MlflowClient(uri, registry_uri=uri)
        with _few_retries():
            client.search_experiments(max_results=1)
    except MlflowException as error:
        advice = "check the address, and MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD if it asks for them"
        raise ValueError(f"expected an MLflow store at {redacted(uri)}, got: {reason_of(error)}; {advice}") from error
    return client


def _require_usable(file: Path) -> None:
    """Refuse at once a SQLite file that can neither be read nor made: MLflow would try again for a minute.

    Raises:
        ValueError: if it is none, or its folder cannot be written to.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)) as database:
            database.execute("SELECT name FROM sqlite_master")
    except (sqlite3.Error, OSError) as error:
        raise ValueError(
            f"expected an MLflow database that can be read or made at {file}, got: {reason_of(error)}; "
            "name another with --cluster.tracking-uri, or MLFLOW_TRACKING_URI"
        ) from error


@contextmanager
def _few_retries() -> Iterator[None]:
    """Within the block, MLflow gives up after a few seconds on a server that does not answer, because a user waits.

    A submitted job keeps MLflow's own retries, which last two minutes: it survives a restart of the server. The user's
    own setting is respected.
    """
    if os.environ.get(SUBMITTED_VARIABLE) or RETRIES_VARIABLE in os.environ:
        yield
        return
    os.environ[RETRIES_VARIABLE] = "3"
    try:
        yield
    finally:
        del os.environ[RETRIES_VARIABLE]


@contextmanager
def connected(config: ClusterConfig) -> Iterator[MlflowClient]:
    """A client of the store, as in open_store. An error of the store within the block becomes one line.

    Raises:
        ValueError: if the store cannot be reached.
        RuntimeError: if the store refuses something within the block.
    """
    client = open_store(config)
    try:
        yield client
    except MlflowException as error:
        raise RuntimeError(f"the MLflow store at {redacted(tracking_uri(config))} says: {reason_of(error)}") from error


def start_run(
    client: MlflowClient,
    config: ClusterConfig,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> str:
    """Create a run.

    Args:
        client: of the store.
        config: names the store, and the place of artifacts if this is the first run of the experiment.
        name: of the run, as MLflow's pages show it.
        params: its parameters; nested ones get dotted names.
        tags: its tags. Left out: the version of the code that is running.

    Returns:
        The run's id.
    """
    run_tags = redact(dict(tags) if tags else _code_tags())
    run_id: str = client.create_run(_experiment_id(client, config), run_name=name, tags=run_tags).info.run_id
    entries = [Param(key, redacted(str(value))[:MAX_PARAM_CHARS]) for key, value in flatten(params).items()]
    client.log_batch(run_id, params=entries)
    return run_id


def _experiment_id(client: MlflowClient, config: ClusterConfig) -> str:
    """The id of our experiment, which is created in a store that lacks it."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    has_no_server = tracking_uri(config).startswith("sqlite:")
    artifacts = config.artifacts or ("mlruns" if has_no_server else None)
    if artifacts and "://" not in artifacts:
        artifacts = _absolute(artifacts).as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


def _absolute(path: str) -> Path:
    """A path of this machine, absolute; ~ is the home folder."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - pathlib fails at ~nobody


def _code_tags() -> dict[str, str]:
    """Tags that name the code that is running."""
    commit = git_commit()
    return {CODE_VERSION: code_version(), **({GIT_COMMIT_TAG: commit} if commit else {})}


def existing_run(client: MlflowClient, run_id: str) -> str:
    """The id of a run that an earlier process started, after a look whether the store has it.

    Raises:
        ValueError: if the store does not have the run.
        MlflowException: if the store refuses to say.
    """
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if not is_not_there(error):
            raise
        raise ValueError(
            f"expected the MLflow run {run_id} of this training's beginning, got a store without it; "
            "name the store it was begun in (--cluster.tracking-uri)"
        ) from error
    return run_id


@contextmanager
def running(client: MlflowClient, run_id: str) -> Iterator[None]:
    """Within the block, the run's status is RUNNING; after it FINISHED, FAILED, or KILLED for ctrl-C."""
    client.update_run(run_id, status="RUNNING")
    try:
        yield
    except BaseException as error:
        client.set_terminated(run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


class RunLog:
    """Writes to an existing run, from any process. Metrics are written in the background."""

    def __init__(self, uri: str, run_id: str) -> None:
        self.client = MlflowClient(uri)
        self.run_id = run_id
        self.num_lost = 0
        """Steps whose metrics the store did not take."""
        self._pending: deque[PendingWrite] = deque()

    def metrics(self, values: Mapping[str, float], *, step: int, time_ms: int) -> None:
        """Write the metrics of one step, by name; `time_ms` counts milliseconds since 1970.

        Returns at once, unless MAX_PENDING_WRITES steps are waiting to be written.
        """
        entries = [Metric(key, value, time_ms, step) for key, value in values.items()]
        write = self.client.log_batch(self.run_id, metrics=entries, synchronous=False)
        assert write is not None, "MLflow wrote at once"
        self._pending.append(write)
        self._wait_until(MAX_PENDING_WRITES)

    def picture(self, picture: ndarray, name: str) -> None:
        """Write a picture [H W 3], uint8, as an artifact of that name; returns when it is written."""
        self.client.log_image(self.run_id, picture, artifact_file=name)

    def close(self) -> None:
        """Wait until everything is written, and log a warning if the store did not take some of it."""
        self._wait_until(0)
        if self.num_lost:
            log.warning("%d entries of the run's curves are lost", self.num_lost)

    def _wait_until(self, max_pending: int) -> None:
        """Wait for the oldest writes until at most that many are pending; count those that failed."""
        while len(self._pending) > max_pending:
            try:
                self._pending.popleft().wait()  # type: ignore[no-untyped-call]
            except MlflowException:  # MLflow itself has logged the reason
                self.num_lost += 1


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, with dotted names: {"a": {"b": 1}} becomes {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
