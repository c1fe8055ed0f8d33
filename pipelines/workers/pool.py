"""A supervised pool of Ray actors: every task is done once, whatever becomes of the workers."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from tqdm import tqdm

from pipelines.workers.assignment import Waiting, Worker, is_worth_a_task, total_speed

log = logging.getLogger(__name__)
QUEUED_PER_WORKER = 2
"""One at work, one at hand. So many results are in memory at most, however far the workers are ahead of the caller."""
MOST_IN_A_ROW = 10
"""Tasks that are given up without one that succeeds in between: then the others would fail, too."""
PATIENCE_S = 30.0
PING_S = 2.0
MOST_HERE = 4
"""Tasks that are done sooner in this process than workers are started for them."""


class WorkerPool:
    """Actors that are given tasks when they are ready, and replaced when they die.

    A task whose worker died, or that raised, is given out again, before all others. A task that fails too often
    is left out, so that the rest gets done; map then says which. Workers may differ in speed: a slow one gets less,
    and towards the end nothing that all others would wait for.
    """

    def __init__(self, start: Callable[[], Any], num_workers: int, *, max_attempts: int = 3) -> None:
        """Start the workers.

        Args:
            start: makes an actor, whose method ready() returns once it can work.
            num_workers: how many to keep alive.
            max_attempts: how often a task, or the start of a worker, may fail.
        """
        self._start = start
        self._num_workers = num_workers
        self._max_attempts = max_attempts
        self._starting: set[Worker] = set()
        self._ready: list[Worker] = []
        self._events: SimpleQueue[tuple[Worker, Future[Any]]] = SimpleQueue()
        self._failed_starts = 0
        self._suspects: set[int] = set()
        self._fill()

    def map(
        self, call: Callable[[Any, int], Any], tasks: Iterable[int], homes: dict[int, Any] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Each task with its result, in the order in which they are finished.

        Args:
            call: starts a task on an actor and returns the reference of its result.
            tasks: the tasks' numbers.
            homes: the actor that each task goes to if it has the choice, because it has part of it done already.
                Filled in with the actors that did the tasks.

        Raises:
            RuntimeError: after all other tasks, if some failed max_attempts times, or at once if it is one after the
                other (a full disk, say); or if no worker starts.
        """
        waiting, attempts, given_up = Waiting(tasks, homes or {}), Counter[int](), dict[int, Exception]()
        in_a_row = 0
        while in_a_row < MOST_IN_A_ROW and (waiting or any(worker.queue for worker in self._ready)):
            if self._events.empty():  # until then there is more to hear of who is free
                self._fill()
                self._assign(waiting, call)
            event = self._next_event(waiting)
            if event is None:
                continue
            worker, task, result = event
            try:
                value = result.result()
            except RayError as error:
                blamed = self._recover(worker, task, error, waiting)
                if blamed is None:
                    continue
                attempts[blamed] += 1
                log.warning(
                    "task %d failed (%d of %d): %s", blamed, attempts[blamed], self._max_attempts, _brief(error)
                )
                if attempts[blamed] >= self._max_attempts:
                    waiting.remove(blamed)
                    given_up[blamed] = error
                    in_a_row += 1
                    self._suspects.discard(blamed)
            else:
                self._suspects.discard(task)
                worker.take_off(task, done=True)
                in_a_row = 0
                if homes is not None:
                    homes[task] = worker.actor
                yield task, value
        if given_up:
            task, cause = next(iter(given_up.items()))
            raise RuntimeError(
                f"{len(given_up)} tasks failed {self._max_attempts} times, task {task} with: {_brief(cause)}; "
                "what is done is kept, and the same command tries these again"
            ) from cause

    def close(self) -> None:
        """End all workers."""
        for worker in [*self._starting, *self._ready]:
            ray.kill(worker.actor)
        self._starting, self._ready = set(), []

    def _fill(self) -> None:
        while len(self._starting) + len(self._ready) < self._num_workers:
            worker = Worker(self._start())
            self._starting.add(worker)
            self._listen(worker, worker.actor.ready.remote())

    def _listen(self, worker: Worker, reference: Any) -> Future[Any]:
        """Let it be an event when a result is there, or lost; so an event's cost does not grow with the workers."""
        result: Future[Any] = reference.future()
        result.add_done_callback(lambda done: self._events.put((worker, done)))
        return result

    def _assign(self, waiting: Waiting, call: Callable[[Any, int], Any]) -> None:
        if not waiting:
            return
        speed = total_speed(self._ready)
        for depth in range(1 if self._suspects else QUEUED_PER_WORKER):  # first one for each, then a second
            for worker in self._ready:
                room = waiting and len(worker.queue) <= depth
                if room and is_worth_a_task(worker, self._ready, speed, len(waiting)):
                    task = waiting.take(worker.actor)
                    worker.give(self._listen(worker, call(worker.actor, task)), task)

    def _next_event(self, waiting: Waiting) -> tuple[Worker, int, Future[Any]] | None:
        """A worker with a task of its queue and the result; or None when a worker came, or nothing did for a while."""
        try:
            worker, result = self._events.get(timeout=PATIENCE_S)
        except Empty:
            if not self._ready:
                log.warning("%d tasks wait for a first worker: the cluster has no room yet", len(waiting))
            return None
        if worker in self._starting:
            self._starting.remove(worker)
            self._welcome(worker, result)
            return None
        task = next((task for queued, task in worker.queue if queued is result), None)
        return None if task is None else (worker, task, result)  # None: put back already, when its worker died

    def _welcome(self, worker: Worker, result: Future[Any]) -> None:
        try:
            result.result()
        except RayError as error:
            self._failed_starts += 1
            # a machine that is lost takes all that start on it along: it is not the workers that fail
            if self._failed_starts >= self._max_attempts + self._num_workers:
                raise RuntimeError(f"workers do not start: {_brief(error)}") from error
        else:
            self._failed_starts = 0
            self._ready.append(worker)

    def _recover(self, worker: Worker, task: int, error: RayError, waiting: Waiting) -> int | None:
        """Put back what a failure lost: the task itself or, with a dead worker, all that it held.

        Returns the task to blame. Of several that a dead worker held it may be any, since the result of one that was
        done may be lost, too: they become suspects, which are given out one by one.
        """
        if isinstance(error, RayTaskError) and not isinstance(error, RayActorError):
            worker.take_off(task, done=False)
            waiting.put_first([task])
            return task
        held = [number for _, number in worker.queue]
        worker.queue.clear()
        waiting.put_first(held)
        self._ready.remove(worker)
        ray.kill(worker.actor)
        self._drop_dead_idlers()
        if len(held) > 1:
            log.warning("a worker died with tasks %s", held)
            self._suspects.update(held)
            return None
        return held[0]

    def _drop_dead_idlers(self) -> None:
        """Forget idle workers that died too, with their node say: the next task must not be blamed for each."""
        pings = {worker.actor.ready.remote(): worker for worker in self._ready if not worker.queue}
        if not pings:
            return
        answered, _ = ray.wait(list(pings), num_returns=len(pings), timeout=PING_S)
        for ref in answered:
            try:
                ray.get(ref)
            except RayError:
                self._ready.remove(pings[ref])


class Hands:
    """Workers that do any function of something that all of them share. None is started before it is needed."""

    def __init__(self, shared: Any, num_workers: int) -> None:
        """Hold back until there is work.

        Args:
            shared: what every function gets first; sent to each worker once.
            num_workers: processes, one CPU each.
        """
        self._shared, self._num_workers = shared, num_workers
        self._pool: WorkerPool | None = None

    def each(
        self, function: Callable[[Any, int], Any], numbers: Sequence[int], title: str
    ) -> Iterator[tuple[int, Any]]:
        """What a function makes of each number, as it gets done, under a progress bar.

        Args:
            function: takes what is shared and a number; doing one twice must do no harm.
            numbers: the tasks.
            title: of the bar.

        Raises:
            RuntimeError: after all others, if it keeps failing for some.
        """
        if self._pool is None and len(numbers) > min(self._num_workers, MOST_HERE):
            shared, actor = ray.put(self._shared), ray.remote(num_cpus=1, max_restarts=0)(_Hand)
            self._pool = WorkerPool(lambda: actor.remote(shared), self._num_workers)
        done: Iterator[tuple[int, Any]]
        if self._pool is None:  # less work than it is to start workers
            done = ((number, function(self._shared, number)) for number in numbers)
        else:
            given = ray.put(function)
            done = self._pool.map(lambda hand, number: hand.do.remote(given, number), numbers)
        yield from tqdm(done, total=len(numbers), desc=title, leave=False, disable=not numbers)

    def close(self) -> None:
        """End all workers."""
        if self._pool is not None:
            self._pool.close()


class _Hand:
    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def ready(self) -> int:
        return os.getpid()

    def do(self, function: Callable[[Any, int], Any], number: int) -> Any:
        return function(self._shared, number)


def _brief(error: Exception) -> str:
    """The cause of a Ray error, in one line."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no message'}"
