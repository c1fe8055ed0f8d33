"""A supervised pool of Ray actors: each task is done once, even if workers die."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from pipelines.workers.assignment import TaskHomes, WaitingTasks, Worker, assignments, is_failing
from pipelines.workers.attempts import Attempts, cause_of

log = logging.getLogger(__name__)
QUEUED_PER_WORKER = 2
"""Tasks that a worker has at most: it works on one, and the next is at hand. This also limits the results in memory,
however slowly the caller takes them."""
MAX_EVENT_WAIT_S = 30.0
"""After so long without an event, the pool looks again at which workers are slow, and warns if it has none."""
PING_TIMEOUT_S = 2.0
"""An idle worker that does not answer within this time is taken to be alive."""


class _Ended(NamedTuple):
    """A task that was done, or failed, and the worker that had it."""

    worker: Worker
    task: int
    result: Future[Any]


class WorkerPool:
    """Actors that get tasks as soon as they are ready, and are replaced when they die.

    A task that raised an exception, or whose worker died, is tried again, by a worker that does others well if there is
    one. A task that fails too often is given up, so that the others still get done; map then reports it. A worker on
    which everything fails gets no more tasks while others do theirs. Workers may differ in speed: a slow one gets
    fewer tasks, and towards the end none that all others would wait for.

    Example:
        >>> @ray.remote(num_cpus=0)
        ... class Doubler:
        ...     def ready(self):
        ...         return True
        ...
        ...     def double(self, number):
        ...         return 2 * number
        >>> pool = WorkerPool(Doubler.remote, num_workers=2)
        >>> sorted(pool.map(lambda actor, number: actor.double.remote(number), range(4)))
        [(0, 0), (1, 2), (2, 4), (3, 6)]
        >>> pool.close()
    """

    def __init__(self, start: Callable[[], Any], num_workers: int, *, max_attempts: int = 3) -> None:
        """Start the workers, and return before they are ready.

        Args:
            start: creates an actor. The actor's method ready() returns once it can work.
            num_workers: how many actors to keep alive.
            max_attempts: how often a task may fail before it is given up. Also, how often the start of a worker may
                fail, in addition to once for each worker.
        """
        self._start = start
        self._num_workers = num_workers
        self._max_attempts = max_attempts
        self._starting: set[Worker] = set()
        self._ready: list[Worker] = []
        self._events: SimpleQueue[tuple[Worker, Future[Any]]] = SimpleQueue()
        self._num_failed_starts = 0
        self._others_may_come = True
        """Whether workers that are starting are worth waiting for."""
        self._start_missing()

    def map(
        self,
        call: Callable[[Any, int], Any],
        tasks: Iterable[int],
        homes: TaskHomes | None = None,
        kept: Callable[[Any], bool] = lambda result: False,
    ) -> Iterator[tuple[int, Any]]:
        """Do all tasks.

        Args:
            call: starts a task on an actor, and returns the reference of its result.
            tasks: the tasks' numbers, all different.
            homes: tells which worker holds suspended work of a task; that worker is preferred for the task. The pool
                keeps it up to date for the next map of the same tasks.
            kept: tells from a task's result whether the worker kept suspended work of the task.

        Yields:
            Each task with its result, in the order in which they are finished.

        Raises:
            RuntimeError: if tasks failed max_attempts times: after all other tasks, or at once if several tasks fail
                one after the other, as on a full disk. Also if no worker starts.
        """
        homes = TaskHomes() if homes is None else homes
        waiting, attempts = WaitingTasks(tasks, homes), Attempts(self._max_attempts)
        for worker in self._ready:
            worker.num_failed = 0  # of other work
        while not attempts.is_hopeless(waiting.num_untried) and (waiting or any(w.assigned for w in self._ready)):
            if self._events.empty():  # else the next event may say that another worker is free: hear it first
                self._start_missing()
                if not self._waits_for_others():
                    self._assign(waiting, 1 if attempts.has_suspects else QUEUED_PER_WORKER, call)
            ended = self._next_ended(len(waiting))
            if ended is None:
                continue
            try:
                value = ended.result.result()
            except RayError as error:
                self._recover(ended, error, waiting, attempts)
            else:
                attempts.succeeded(ended.task)
                _record_success(ended, homes, kept=kept(value))
                yield ended.task, value
        attempts.raise_for_given_up()

    def close(self) -> None:
        """End all workers."""
        for worker in [*self._starting, *self._ready]:
            ray.kill(worker.actor)
        self._starting, self._ready = set(), []

    def _start_missing(self) -> None:
        while len(self._starting) + len(self._ready) < self._num_workers:
            worker = Worker(self._start())
            self._starting.add(worker)
            self._others_may_come = True
            self._listen(worker, worker.actor.ready.remote())

    def _listen(self, worker: Worker, reference: Any) -> Future[Any]:
        """Have the end of a call reported as an event. So the cost of an event does not grow with the workers."""
        result: Future[Any] = reference.future()
        result.add_done_callback(lambda done: self._events.put((worker, done)))
        return result

    def _waits_for_others(self) -> bool:
        """Whether everything fails on the workers that are ready, and there will soon be others."""
        everything_fails = bool(self._ready) and all(is_failing(worker) for worker in self._ready)
        return everything_fails and bool(self._starting) and self._others_may_come

    def _assign(self, waiting: WaitingTasks, max_assigned: int, call: Callable[[Any, int], Any]) -> None:
        for worker, task in assignments(self._ready, waiting, max_assigned, time.monotonic):
            result = self._listen(worker, call(worker.actor, task))
            worker.give(task, result, time.monotonic())

    def _next_ended(self, num_waiting: int) -> _Ended | None:
        """Wait for a task to end. None if a worker started instead, or nothing happened for a while."""
        try:
            worker, result = self._events.get(timeout=MAX_EVENT_WAIT_S)
        except Empty:
            self._others_may_come = False
            if not self._ready:
                log.warning("%d tasks wait for a first worker: the cluster has no room yet", num_waiting)
            return None
        if worker in self._starting:
            self._welcome(worker, result)
            return None
        tasks = (task for task, future in worker.assigned.items() if future is result)
        task = next(tasks, None)  # None: it was put back already, when its worker died
        return None if task is None else _Ended(worker, task, result)

    def _welcome(self, worker: Worker, result: Future[Any]) -> None:
        self._starting.remove(worker)
        try:
            result.result()
        except RayError as error:
            self._num_failed_starts += 1
            # a lost machine takes along all workers that start on it, which says nothing about the workers
            if self._num_failed_starts >= self._max_attempts + self._num_workers:
                raise RuntimeError(f"workers do not start: {cause_of(error)}") from error
        else:
            self._num_failed_starts = 0
            self._ready.append(worker)

    def _recover(self, ended: _Ended, error: RayError, waiting: WaitingTasks, attempts: Attempts) -> None:
        """Put back what a failure lost: the task that raised, or all tasks of a worker that died."""
        if isinstance(error, RayTaskError) and not isinstance(error, RayActorError):
            ended.worker.take_off(ended.task, done=False, now=time.monotonic())
            lost = [ended.task]
        else:
            lost = self._remove_dead(ended.worker)
        waiting.put_back(attempts.failed(lost, error))

    def _remove_dead(self, worker: Worker) -> list[int]:
        """Remove a dead worker from the pool, and return the tasks that it had."""
        lost = list(worker.assigned)
        worker.assigned.clear()
        self._ready.remove(worker)
        ray.kill(worker.actor)
        self._drop_dead_idlers()
        return lost

    def _drop_dead_idlers(self) -> None:
        """Remove idle workers that died too, as when their node was lost.

        Otherwise the next task would go to each of them in turn, and be blamed for its death.
        """
        pings = {worker.actor.ready.remote(): worker for worker in self._ready if not worker.assigned}
        if not pings:
            return
        answered, _ = ray.wait(list(pings), num_returns=len(pings), timeout=PING_TIMEOUT_S)
        for reference in answered:
            try:
                ray.get(reference)
            except RayError:
                self._ready.remove(pings[reference])


def _record_success(ended: _Ended, homes: TaskHomes, *, kept: bool) -> None:
    ended.worker.take_off(ended.task, done=True, now=time.monotonic())
    if kept:
        homes.settle(ended.task, ended.worker)
    else:
        homes.forget(ended.task)
