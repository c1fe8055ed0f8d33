"""A pool that applies any function to one shared object and many numbers."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray

from pipelines.progress import counted
from pipelines.workers.pool import WorkerPool

MAX_LOCAL_TASKS = 4
"""So few tasks are done sooner in this process than workers are started for them."""


class FunctionPool:
    """Worker processes that hold a copy of one shared object. They start with the first map that is worth it."""

    def __init__(self, shared: Any, num_workers: int) -> None:
        """Prepare the pool without starting anything.

        Args:
            shared: the first argument of every function. It is sent to each worker once.
            num_workers: processes, one CPU each.
        """
        self._shared, self._num_workers = shared, num_workers
        self._pool: WorkerPool | None = None

    def map(self, function: Callable[[Any, int], Any], numbers: Sequence[int], title: str) -> Iterator[tuple[int, Any]]:
        """Apply a function to each number, while it is shown how far that is.

        Args:
            function: takes the shared object and a number. It may be called more than once for a number, if a worker
                fails, and must allow that.
            numbers: the tasks.
            title: what is done, to be shown.

        Yields:
            Each number with the function's result, in the order in which they are finished.

        Raises:
            RuntimeError: if the function keeps failing for some numbers; after all others are done.
        """
        if self._pool is None and len(numbers) > min(self._num_workers, MAX_LOCAL_TASKS):
            self._pool = self._start()
        results = self._map_here(function, numbers) if self._pool is None else _map(self._pool, function, numbers)
        yield from counted(results, title, len(numbers), "task", leave=False)

    def close(self) -> None:
        """End all workers."""
        if self._pool is not None:
            self._pool.close()

    def _start(self) -> WorkerPool:
        shared, actor = ray.put(self._shared), ray.remote(num_cpus=1, max_restarts=0)(_FunctionWorker)
        return WorkerPool(lambda: actor.remote(shared), self._num_workers)

    def _map_here(self, function: Callable[[Any, int], Any], numbers: Sequence[int]) -> Iterator[tuple[int, Any]]:
        return ((number, function(self._shared, number)) for number in numbers)


def _map(pool: WorkerPool, function: Callable[[Any, int], Any], numbers: Sequence[int]) -> Iterator[tuple[int, Any]]:
    reference = ray.put(function)
    return pool.map(lambda actor, number: actor.apply.remote(reference, number), numbers)


class _FunctionWorker:
    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def ready(self) -> int:
        return os.getpid()

    def apply(self, function: Callable[[Any, int], Any], number: int) -> Any:
        return function(self._shared, number)
