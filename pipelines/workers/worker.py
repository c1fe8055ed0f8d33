"""A worker as the pool sees it: what it was given, how fast it is, and what failed on it."""

from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

SMOOTHING = 0.3
"""Weight of the latest task in a worker's pace. The older tasks together weigh the rest."""
MIN_TASK_S = 1e-6
"""The shortest task time that is recorded, so that a worker's speed stays finite."""
MAX_FAILURES_IN_A_ROW = 3
"""A worker on which so many tasks failed, one after the other, gets none while tasks succeed on others."""


class Tasks(Protocol):
    """Tasks of one stage of a work, as far as a worker that has some of them knows."""

    @property
    def operations(self) -> float:
        """Planned operations of one task, 0 where nobody knows."""

    @property
    def model(self) -> Hashable:
        """What a worker loads for them and keeps, or None."""

    @property
    def work(self) -> object:
        """Whose tasks they are."""


@dataclass(slots=True, eq=False)
class Assigned:
    """A task that a worker was given."""

    task: int
    queue: Tasks
    result: Future[Any]
    operations: float = 1.0
    """Planned, 0 where nobody knows."""


@dataclass(slots=True, eq=False)
class Worker:
    """An actor, the tasks that it was given and has not finished, and how fast it is."""

    actor: Any
    assigned: list[Assigned] = field(default_factory=list)
    """Its unfinished tasks, oldest first. The actor works on the oldest."""
    operation_s: float | None = None
    """Its pace: the exponentially smoothed mean of the seconds that a planned operation takes it, or None before it has
    finished a task of known cost."""
    num_done: int = 0
    """How many tasks it has finished."""
    num_failed: int = 0
    """How many tasks failed on it since the last one that it finished."""
    failed_at: object = None
    """The work whose task was the last of these."""
    models: set[Hashable] = field(default_factory=set)
    """What it has loaded for tasks."""
    ready_at: float = 0.0
    """When it had started."""
    busy_s: float = 0.0
    """For how long it has had tasks since then."""
    _started_at: float = 0.0
    """When it could start on its oldest task."""

    def give(self, assigned: Assigned, now: float) -> None:
        """Record a task that was sent to the actor."""
        if not self.assigned:
            self._started_at = now
        self.assigned.append(assigned)
        self.models.add(assigned.queue.model)

    def take_off(self, ended: Assigned, *, done: bool, now: float) -> None:
        """Remove a task that ended; if it was done and its cost was known, its time counts in the pace."""
        self.num_failed, self.failed_at = (0, None) if done else (self.num_failed + 1, ended.queue.work)
        self.num_done += done
        self.busy_s += max(now - self._started_at, 0.0)
        task_s, self._started_at = max(now - self._started_at, MIN_TASK_S), now
        if done and ended.operations:
            pace = task_s / ended.operations
            before = self.operation_s
            self.operation_s = pace if before is None else (1 - SMOOTHING) * before + SMOOTHING * pace
        self.assigned.remove(ended)

    def forgive(self) -> None:
        """Forget what failed on it: it was other work."""
        self.num_failed, self.failed_at = 0, None

    def outlook(self, now: float) -> tuple[float, float]:
        """Seconds until the worker has finished its tasks, and seconds that it needs for each further operation.

        If its current task already takes longer than planned, all its tasks are expected to. Of tasks of unknown cost
        nothing is expected.
        """
        assert self.operation_s is not None
        planned_s = [given.operations * self.operation_s for given in self.assigned]
        if not planned_s or not planned_s[0]:
            return sum(planned_s), self.operation_s
        elapsed_s = now - self._started_at
        slowdown = max(elapsed_s / planned_s[0], 1.0)
        return slowdown * sum(planned_s) - elapsed_s, slowdown * self.operation_s


def is_failing(worker: Worker) -> bool:
    """Whether everything fails on a worker, as far as one can tell."""
    return worker.num_failed >= MAX_FAILURES_IN_A_ROW
