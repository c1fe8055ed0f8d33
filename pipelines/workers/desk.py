"""The open works of a pool: each waits for the tasks of its current stage, and then goes on."""

import logging
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from magic.checks import printable, typed_line
from pipelines.workers.attempts import Attempts
from pipelines.workers.stages import Ended, Stage, Work
from pipelines.workers.waiting_tasks import WaitingTasks
from pipelines.workers.worker import Assigned

log = logging.getLogger(__name__)


class OpenStage:
    """The stage that an open work waits for: its tasks, and what failed of them."""

    def __init__(self, work: Work[Any], stage: Stage, max_attempts: int) -> None:
        self.work, self.stage = work, stage
        self.waiting = WaitingTasks(stage.tasks, stage.homes)
        self.attempts = Attempts(max_attempts, ", ".join(filter(None, (work.name, stage.title))))
        self.num_running = 0
        self.is_over = False
        """Whether results that still come are of no use: the work went on without them, or has ended."""

    @property
    def operations(self) -> float:
        """See Stage."""
        return self.stage.operations

    @property
    def operations_left(self) -> float:
        """Planned operations of what waits here, and of the stages after it."""
        return len(self.waiting) * self.stage.operations + self.stage.operations_after

    @property
    def model(self) -> Hashable:
        """See Stage."""
        return self.stage.model

    @property
    def is_hopeless(self) -> bool:
        """Whether it is not worth trying the rest."""
        return self.attempts.is_hopeless(self.waiting.num_untried)

    @property
    def is_done(self) -> bool:
        """Whether the work need not wait for it any longer."""
        return not (self.waiting or self.num_running) or self.is_hopeless

    def lose(self, lost: Sequence[Assigned], error: Exception, *, alone: bool) -> None:
        """Take back tasks that failed, or whose worker died, to be tried again if they may.

        Args:
            lost: the tasks.
            error: what was raised.
            alone: whether the worker had no other tasks; else nobody knows which one failed.
        """
        self.num_running -= len(lost)
        tasks = [each.task for each in lost]
        if not alone:
            self.attempts.suspect(tasks)
        elif self.attempts.failed(tasks[0], error):
            return
        self.waiting.put_back(tasks)


class Desk:
    """Opens works, so many at a time, and lets each go on when its stage is done.

    Args:
        works: taken one by one, when there is room for one more.
        max_open: how many works may be open at a time.
        max_attempts: how often a task may fail before it is given up.
    """

    def __init__(self, works: Iterable[Work[Any]], max_open: int, max_attempts: int) -> None:
        self._works, self._max_open, self._max_attempts = iter(works), max_open, max_attempts
        self._failed: deque[Ended[Any]] = deque()
        self.stages: list[OpenStage] = []
        """Of the open works, in the order in which these were opened."""

    def ended(self) -> Iterator[Ended[Any]]:
        """Let works whose stage is done go on, and open new ones where there is room; gives those that ended."""
        while True:
            while self._failed:
                yield self._failed.popleft()
            done = next((stage for stage in self.stages if stage.is_done), None)
            if done is not None:
                ended = self._resume(done)
            elif len(self.stages) < self._max_open and (work := next(self._works, None)) is not None:
                ended = self._go_on(work, None, len(self.stages))
            else:
                return
            if ended is not None:
                yield ended

    def receive(self, stage: OpenStage, task: int, value: Any) -> None:
        """Hand a result to its stage. If that fails, the work ends."""
        stage.work.num_done += 1
        try:
            stage.stage.received(task, value)
        except Exception as error:  # noqa: BLE001 - it ends the work, and is reported
            self.fail(stage, error)

    def fail(self, stage: OpenStage, error: Exception) -> None:
        """Raise an error in a work, where it waits for a stage."""
        ended = self._go_on(stage.work, error, self._close(stage))
        if ended is not None:
            self._failed.append(ended)

    def close(self) -> None:
        """End all works where they are."""
        for stage in self.stages:
            stage.is_over = True
            try:
                stage.work.steps.close()
            except Exception as error:  # noqa: BLE001 - the others have something to save, too
                log.warning("%s: %s", printable(stage.work.name), typed_line(error))
        self.stages = []

    def _close(self, stage: OpenStage) -> int:
        stage.is_over = True
        place = self.stages.index(stage)
        self.stages.remove(stage)
        return place

    def _resume(self, done: OpenStage) -> Ended[Any] | None:
        return self._go_on(done.work, done.attempts.failure, self._close(done))

    def _go_on(self, work: Work[Any], error: Exception | None, place: int) -> Ended[Any] | None:
        """Let a work go on to its next stage, in its old place among the others; or take what it ended with."""
        try:
            stage = work.steps.throw(error) if error else next(work.steps)
        except StopIteration as end:
            return Ended(work, end.value, None)
        except Exception as error:  # noqa: BLE001 - one work's failure is not the others'
            return Ended(work, None, error)
        self.stages.insert(place, OpenStage(work, stage, self._max_attempts))
        return None
