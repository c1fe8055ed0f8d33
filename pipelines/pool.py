"""A supervised pool of Ray actors: every task is done once, whatever becomes of the workers."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

log = logging.getLogger(__name__)
QUEUED_PER_WORKER = 2  # one at work, one at hand
PATIENCE_S = 30.0
PING_S = 2.0


@dataclass(slots=True)
class _Worker:
    actor: Any
    queue: deque[tuple[Any, int]] = field(default_factory=deque)
    """Result reference and task of everything it was given, oldest first."""


class WorkerPool:
    """Actors that are given tasks when they are ready, and replaced when they die.

    A task whose worker died, or that raised, is given out again, before all others. A task that fails too often
    is left out, so that the rest gets done; map then says which.
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
        self._starting: dict[Any, Any] = {}
        self._ready: list[_Worker] = []
        self._failed_starts = 0
        self._fill()

    def map(self, call: Callable[[Any, int], Any], tasks: Iterable[int]) -> Iterator[tuple[int, Any]]:
        """Each task with its result, in the order in which they are finished.

        Args:
            call: starts a task on an actor and returns the reference of its result.
            tasks: the tasks' numbers.

        Raises:
            RuntimeError: after all other tasks, if some failed max_attempts times; or if no worker starts.
        """
        waiting, attempts, given_up = deque(tasks), Counter[int](), dict[int, Exception]()
        while waiting or any(worker.queue for worker in self._ready):
            self._fill()
            self._assign(waiting, call)
            ref, worker = self._next_event(waiting)
            if worker is None:
                continue
            task = next(task for queued, task in worker.queue if queued is ref)
            try:
                result = ray.get(ref)
            except RayError as error:
                task = self._recover(worker, task, error, waiting)
                attempts[task] += 1
                log.warning("tile %d failed (%d of %d): %s", task, attempts[task], self._max_attempts, _brief(error))
                if attempts[task] >= self._max_attempts:
                    waiting.remove(task)
                    given_up[task] = error
            else:
                worker.queue.remove((ref, task))
                yield task, result
        if given_up:
            task, cause = next(iter(given_up.items()))
            raise RuntimeError(
                f"{len(given_up)} tiles failed {self._max_attempts} times, tile {task} with: {_brief(cause)}; "
                "what is done is kept, and the same command tries these again"
            ) from cause

    def close(self) -> None:
        """End all workers."""
        for actor in [*self._starting.values(), *(worker.actor for worker in self._ready)]:
            ray.kill(actor)
        self._starting, self._ready = {}, []

    def _fill(self) -> None:
        while len(self._starting) + len(self._ready) < self._num_workers:
            actor = self._start()
            self._starting[actor.ready.remote()] = actor

    def _assign(self, waiting: deque[int], call: Callable[[Any, int], Any]) -> None:
        for depth in range(QUEUED_PER_WORKER):  # first one for each, then a second
            for worker in self._ready:
                if waiting and len(worker.queue) <= depth:
                    task = waiting.popleft()
                    worker.queue.append((call(worker.actor, task), task))

    def _next_event(self, waiting: deque[int]) -> tuple[Any, _Worker | None]:
        """A finished result with its worker; or nothing to fetch, when a worker came or none did for a while."""
        owners = {ref: worker for worker in self._ready for ref, _ in worker.queue}
        done, _ = ray.wait([*self._starting, *owners], num_returns=1, timeout=PATIENCE_S)
        if not done:
            if not self._ready:
                log.warning("%d tiles wait for a first worker: the cluster has no room yet", len(waiting))
            return None, None
        ref = done[0]
        if ref in owners:
            return ref, owners[ref]
        actor = self._starting.pop(ref)
        try:
            ray.get(ref)
        except RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= self._max_attempts:
                raise RuntimeError(f"render workers do not start: {_brief(error)}") from error
        else:
            self._failed_starts = 0
            self._ready.append(_Worker(actor))
        return None, None

    def _recover(self, worker: _Worker, task: int, error: RayError, waiting: deque[int]) -> int:
        """Put back what a failure lost: the task itself or, with a dead worker, all that it held.

        Returns the task to blame: a dead worker was at the oldest of its tasks.
        """
        if isinstance(error, RayTaskError) and not isinstance(error, RayActorError):
            worker.queue = deque(item for item in worker.queue if item[1] != task)
            waiting.appendleft(task)
            return task
        waiting.extendleft(held for _, held in reversed(worker.queue))
        self._ready.remove(worker)
        ray.kill(worker.actor)
        self._drop_dead_idlers()
        return worker.queue[0][1]

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


def _brief(error: Exception) -> str:
    """The cause of a Ray error, in one line."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no message'}"
