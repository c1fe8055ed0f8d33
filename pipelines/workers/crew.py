"""A crew: workers of one kind, started when there is work for them and replaced when they die."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from math import ceil
from typing import Any

import ray
from ray.exceptions import RayError

from pipelines.workers.attempts import cause_of
from pipelines.workers.desk import OpenStage
from pipelines.workers.worker import Worker, is_failing

TASKS_WORTH_A_WORKER = 4
"""So few tasks of unknown cost are done sooner by the workers that are there than one more is started for them."""
PING_TIMEOUT_S = 2.0
"""An idle worker that does not answer within this time is taken to be alive."""


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """How to start a worker, and how many there may be."""

    start: Callable[[], Any]
    """Creates an actor. The actor's method ready() returns once it can work."""
    num_workers: int


class Crew:
    """The workers of one kind."""

    def __init__(
        self, kind: WorkerKind, listen: Callable[["Worker", Any], Future[Any]], max_failed_starts: int
    ) -> None:
        """Start nothing yet.

        Args:
            kind: of the workers.
            listen: reports the end of a worker's call.
            max_failed_starts: how often the start of a worker may fail, in addition to once for each worker.
        """
        self.kind, self._listen = kind, listen
        self._max_failed_starts = max_failed_starts + kind.num_workers
        self._num_failed_starts = 0
        self.starting: set[Worker] = set()
        self.ready: list[Worker] = []
        self.num_started = 0
        """Workers that were started so far."""
        self.others_may_come = True
        """Whether workers that are starting are worth waiting for."""

    def start_missing(self, stages: Iterable[OpenStage]) -> None:
        """Start workers for the tasks that there are."""
        known, unknown = 0, 0
        for stage in stages:
            num = len(stage.waiting) + stage.num_running
            known, unknown = (known + num, unknown) if stage.operations else (known, unknown + num)
        wanted = min(known + ceil(unknown / TASKS_WORTH_A_WORKER), self.kind.num_workers)
        while len(self.starting) + len(self.ready) < wanted:
            worker = Worker(self.kind.start())
            self.num_started += 1
            self.starting.add(worker)
            self.others_may_come = True
            self._listen(worker, worker.actor.ready.remote())

    @property
    def waits_for_others(self) -> bool:
        """Whether everything fails on the workers that are ready, and there will soon be others."""
        everything_fails = bool(self.ready) and all(is_failing(worker) for worker in self.ready)
        return everything_fails and bool(self.starting) and self.others_may_come

    def welcome(self, worker: Worker, result: Future[Any]) -> None:
        """Take in a worker that has started, or hear that it did not.

        Raises:
            RuntimeError: if workers do not start.
        """
        self.starting.remove(worker)
        try:
            result.result()
        except RayError as error:
            self._num_failed_starts += 1
            # a lost machine takes along all workers that start on it, which says nothing about the workers
            if self._num_failed_starts >= self._max_failed_starts:
                raise RuntimeError(f"workers do not start: {cause_of(error)}") from error
        else:
            self._num_failed_starts = 0
            worker.ready_at = time.monotonic()
            self.ready.append(worker)

    def remove_dead(self, worker: Worker) -> None:
        """Take out a worker that died, and idle ones that died too, as when their node was lost.

        Otherwise the next task would go to each of them in turn, and be blamed for its death.
        """
        self.ready.remove(worker)
        ray.kill(worker.actor)
        pings = {worker.actor.ready.remote(): worker for worker in self.ready if not worker.assigned}
        if not pings:
            return
        answered, _ = ray.wait(list(pings), num_returns=len(pings), timeout=PING_TIMEOUT_S)
        for reference in answered:
            try:
                ray.get(reference)
            except RayError:
                self.ready.remove(pings[reference])

    def forgive(self) -> None:
        """Forget what failed on the workers: it was the fault of a work that is over."""
        for worker in self.ready:
            worker.forgive()

    def close(self) -> None:
        """End all workers."""
        for worker in [*self.starting, *self.ready]:
            ray.kill(worker.actor)
        self.starting, self.ready = set(), []
