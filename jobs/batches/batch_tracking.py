"""How far a batch is, in MLflow: a run of its own, with curves and the newest posters."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from numpy import ndarray

from cluster.tracking import runs
from jobs.batches.row_records import Book
from jobs.settings.batch_config import BatchConfig
from magic.checks import first_line
from magic.sheets import Panel, sheet
from pipelines.pictures.decoding import decode
from pipelines.storage.door import file_name, join, read_object
from pipelines.storage.records import Record

warnings = logging.getLogger(__name__)
RUN = "run.json"
NUM_NEWEST, ROW_LENGTH, PANEL_PX = 12, 4, 256
"""Of the posters on the sheet of the newest ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun(Record):
    """Which MLflow run is a batch's."""

    KIND: ClassVar[str] = "batch run"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the record of a batch's run"

    run_id: str


class BatchLog:
    """Tells a run how far a batch is, if there is one. What the store does not take is lost, and the batch goes on.

    Args:
        book: of the batch's rows.
        total: rows to paint.
        run: to write to; None to tell nobody.
    """

    def __init__(self, book: Book, total: int, run: runs.RunLog | None) -> None:
        self._book, self._total, self._run = book, total, run
        self._num_ended, self._began = 0, time.monotonic()
        self._newest: deque[str] = deque(maxlen=NUM_NEWEST)

    def ended(self, name: str) -> None:
        """A row is done, or has failed."""
        self._num_ended += 1
        if self._book.records[name].status == "done":
            self._newest.append(name)
        if self._run is None:
            return
        rate = self._num_ended / max(time.monotonic() - self._began, 1e-3)
        values = {
            "rows/done": self._book.count("done"),
            "rows/failed": self._book.count("failed", "refused"),
            "rows/per_minute": 60 * rate,
            "rows/seconds_left": (self._total - self._num_ended) / rate,
        }
        self._try(lambda run: run.metrics(values, step=self._num_ended, time_ms=int(1000 * time.time())))

    def show(self) -> None:
        """Write a sheet of the newest posters."""
        if self._run is None or not self._newest:
            return
        self._try(lambda run: run.picture(self._sheet(), "newest.png"))

    def _sheet(self) -> ndarray:
        data = {name: read_object(join(self._book.url, "thumbs", f"{name}.jpg")) for name in self._newest}
        panels = [Panel(name, decode(jpeg)) for name, jpeg in data.items() if jpeg is not None]
        rows = [panels[start : start + ROW_LENGTH] for start in range(0, len(panels), ROW_LENGTH)]
        return np.array(sheet(rows, PANEL_PX))

    def close(self, status: str) -> None:
        """Wait until everything is written, and end the run."""
        self.show()
        self._try(lambda run: run.close())
        self._try(lambda run: run.client.set_terminated(run.run_id, status))

    def _try(self, write: Callable[[runs.RunLog], None]) -> None:
        """Write to the run; a store that fails is not asked again, because each time would take minutes."""
        if self._run is None:
            return
        try:
            write(self._run)
        except (MlflowException, OSError, ValueError) as error:
            warnings.warning("the batch's MLflow run ends here: %s", first_line(error))
            self._run = None


@contextmanager
def tracked(book: Book, total: int, config: BatchConfig) -> Iterator[BatchLog]:
    """Within the block, a batch's run in MLflow is under way, if it is to be tracked. A batch goes on in its own run.

    Raises:
        ValueError: if the store that was named cannot be reached.
    """
    is_named = config.cluster.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not (is_named if config.track is None else config.track):
        yield BatchLog(book, total, None)
        return
    client = runs.open_store(config.cluster)
    try:
        run_id = _run_id(client, book, config)
        client.update_run(run_id, status="RUNNING")
        run: runs.RunLog | None = runs.RunLog(runs.tracking_uri(config.cluster), run_id)
    except MlflowException as error:
        warnings.warning("the batch has no MLflow run: %s", first_line(error))
        run = None
    log, status = BatchLog(book, total, run), "FAILED"
    try:
        yield log
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        log.close(status)


def _run_id(client: MlflowClient, book: Book, config: BatchConfig) -> str:
    """The batch's run: that of its beginning or, if the store has none, a new one."""
    known = TrackedRun.read(join(book.url, RUN))
    if known is not None:
        try:
            return runs.existing_run(client, known.run_id)
        except ValueError:
            pass  # it was begun in another store
    name = file_name(book.url.rstrip("/"))
    run_id = runs.start_run(client, config.cluster, name, {"rows": len(book.records), "out": book.url})
    TrackedRun(run_id=run_id).write(join(book.url, RUN))
    return run_id
