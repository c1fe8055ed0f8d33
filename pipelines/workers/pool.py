"""A supervised pool of Ray actors: each task of many works is done once, even if workers die."""

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ray.exceptions import RayActorError, RayError, RayTaskError

from pipelines.workers.assignment import assignments
from pipelines.workers.crew import Crew, WorkerKind
from pipelines.workers.desk import Desk, OpenStage
from pipelines.workers.stages import Ended, Steps, Work
from pipelines.workers.worker import Assigned, Worker

log = logging.getLogger(__name__)
Result = TypeVar("Result")
QUEUED_PER_WORKER = 2
"""Tasks that a worker has at most: it works on one, and the next is at hand. This also limits the results in memory,
however slowly the caller takes them."""
MAX_EVENT_WAIT_S = 30.0
"""After so long without an event, the pool looks again at which workers are slow, and warns if it has none."""


class WorkerPool:
    """Actors that get tasks of all open works as soon as they are ready, and are replaced when they die.

    A task that raised an exception, or whose worker died, is tried again, by a worker that does others well if there is
    one. A task that fails too often is given up, so that the others of its stage still get done; its work is then told
    so, and the other works do not notice. A worker on which everything fails gets no more tasks while others do theirs.
    Workers may differ in speed: a slow one gets fewer tasks, and towards the end none that all others would wait for.

    Example:
        >>> import ray
        >>> from pipelines.workers.stages import Stage
        >>> @ray.remote(num_cpus=0)
        ... class Doubler:
        ...     def ready(self):
        ...         return True
        ...
        ...     def double(self, number):
        ...         return 2 * number
        >>> def doubled_twice(numbers):
        ...     for title in ("once", "twice"):
        ...         results = {}
        ...         yield Stage(
        ...             title=title,
        ...             tasks=numbers,
        ...             call=lambda actor, number: actor.double.remote(number),
        ...             received=results.__setitem__,
        ...         )
        ...         numbers = sorted(results.values())
        ...     return numbers
        >>> pool = WorkerPool(WorkerKind(Doubler.remote, num_workers=2))
        >>> pool.do(doubled_twice(range(4)))
        [0, 4, 8, 12]
        >>> works = [Work(name, doubled_twice(range(size))) for name, size in (("small", 2), ("large", 3))]
        >>> sorted((ended.work.name, ended.value) for ended in pool.run(works, max_open=2))
        [('large', [0, 4, 8]), ('small', [0, 4])]
        >>> pool.close()
    """

    def __init__(self, kind: WorkerKind, helpers: WorkerKind | None = None, *, max_attempts: int = 3) -> None:
        """Start nothing yet: workers are started for tasks.

        Args:
            kind: of the workers that do all tasks; or, if there are helpers, those that need a GPU.
            helpers: workers for all other tasks.
            max_attempts: how often a task may fail before it is given up. Also, how often the start of a worker may
                fail, in addition to once for each worker.
        """
        self._max_attempts = max_attempts
        self._events: SimpleQueue[tuple[Worker, Future[Any]]] = SimpleQueue()
        self._main = Crew(kind, self._listen, max_attempts)
        self._helpers = Crew(helpers, self._listen, max_attempts) if helpers else self._main

    def do(self, steps: Steps[Result]) -> Result:
        """Do a single work, and return what it returns.

        Raises:
            RuntimeError: if tasks failed max_attempts times: after all other tasks of their stage, or at once if
                several tasks fail one after the other, as on a full disk. Also if no worker starts.
            Exception: anything that the work raises.
        """
        (ended,) = self.run([Work("", steps)])
        if ended.error:
            raise ended.error
        return ended.value  # type: ignore[return-value] # it is the result where there is no error

    def run(self, works: Iterable[Work[Result]], max_open: int = 1) -> Iterator[Ended[Result]]:
        """Do works, several at a time.

        Args:
            works: taken one by one, when there is room.
            max_open: how many may be open at a time.

        Yields:
            Each work with what it returned or raised, in the order in which they end.

        Raises:
            RuntimeError: if no worker starts.
        """
        desk = Desk(works, max_open, self._max_attempts)
        for crew in self._crews:
            crew.forgive()
        try:
            while True:
                for ended in desk.ended():
                    if ended.error:
                        for crew in self._crews:
                            crew.forgive()
                    yield ended
                if not desk.stages:
                    return
                # with an event at hand, it may say that another worker is free: hear it first
                if not self._events.empty() or self._assign(desk):
                    self._hear(desk)
        finally:
            desk.close()

    @property
    def utilisation(self) -> float:
        """The share of the time since they started in which workers had a task, 0 to 1."""
        workers, now = [worker for crew in self._crews for worker in crew.ready], time.monotonic()
        held_s = sum(now - worker.ready_at for worker in workers)
        return sum(worker.busy_s for worker in workers) / held_s if held_s else 0.0

    def close(self) -> None:
        """End all workers."""
        for crew in self._crews:
            crew.close()

    @property
    def _crews(self) -> tuple[Crew, ...]:
        return (self._main,) if self._helpers is self._main else (self._main, self._helpers)

    def _listen(self, worker: Worker, reference: Any) -> Future[Any]:
        """Have the end of a call reported as an event. So the cost of an event does not grow with the workers."""
        result: Future[Any] = reference.future()
        result.add_done_callback(lambda done: self._events.put((worker, done)))
        return result

    def _assign(self, desk: Desk) -> bool:
        """Give tasks to workers; returns whether that went well. A work whose task cannot be sent is told so."""
        has_suspects = any(stage.attempts.has_suspects for stage in desk.stages)
        for crew in self._crews:
            stages = [stage for stage in desk.stages if self._crew_of(stage) is crew]
            crew.start_missing(stages)
            if crew.waits_for_others:
                continue
            max_assigned = 1 if has_suspects else QUEUED_PER_WORKER
            for worker, stage, task in assignments(crew.ready, stages, max_assigned, time.monotonic):
                try:
                    result = self._listen(worker, stage.stage.call(worker.actor, task))
                except Exception as error:  # noqa: BLE001 - one work's failure is not the others'
                    desk.fail(stage, error)
                    return False
                worker.give(Assigned(task, stage, result, stage.operations), time.monotonic())
                stage.num_running += 1
        return True

    def _crew_of(self, stage: OpenStage) -> Crew:
        return self._main if stage.stage.needs_gpu else self._helpers

    def _hear(self, desk: Desk) -> None:
        """Wait for a task to end, or for a worker to start; or look again after a while."""
        try:
            worker, result = self._events.get(timeout=MAX_EVENT_WAIT_S)
        except Empty:
            for crew in self._crews:
                crew.others_may_come = False
            if not any(crew.ready for crew in self._crews):
                num_waiting = sum(len(stage.waiting) for stage in desk.stages)
                log.warning("%d tasks wait for a first worker: the cluster has no room yet", num_waiting)
            return
        for crew in self._crews:
            if worker in crew.starting:
                crew.welcome(worker, result)
                return
        ended = next((given for given in worker.assigned if given.result is result), None)
        if ended is not None:  # else it was put back already, when its worker died
            self._end(desk, worker, ended)

    def _end(self, desk: Desk, worker: Worker, ended: Assigned) -> None:
        stage = ended.queue
        assert isinstance(stage, OpenStage)
        try:
            value = ended.result.result()
        except RayError as error:
            self._recover(worker, ended, error)
            return
        worker.take_off(ended, done=True, now=time.monotonic())
        stage.num_running -= 1
        if stage.is_over:
            return
        stage.attempts.succeeded(ended.task)
        if stage.stage.kept(value):
            stage.stage.homes.settle(ended.task, worker)
        else:
            stage.stage.homes.forget(ended.task)
        desk.receive(stage, ended.task, value)

    def _recover(self, worker: Worker, ended: Assigned, error: RayError) -> None:
        """Put back what a failure lost: the task that raised, or all tasks of a worker that died."""
        if isinstance(error, RayTaskError) and not isinstance(error, RayActorError):
            worker.take_off(ended, done=False, now=time.monotonic())
            lost = [ended]
        else:
            lost = list(worker.assigned)
            worker.assigned.clear()
            crew = next(crew for crew in self._crews if worker in crew.ready)
            crew.remove_dead(worker)
            if len(lost) > 1:
                log.warning("a worker died with tasks %s", [given.task for given in lost])
        for stage in {id(given.queue): given.queue for given in lost}.values():
            assert isinstance(stage, OpenStage)
            if not stage.is_over:
                stage.lose([given for given in lost if given.queue is stage], error, alone=len(lost) == 1)
