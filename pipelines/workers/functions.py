"""Functions as tasks: one function, one shared object and many numbers."""

import os
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import cached_property
from math import inf
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import ray

from pipelines.progress import progress
from pipelines.workers.crew import WorkerKind
from pipelines.workers.pool import WorkerPool
from pipelines.workers.stages import Stage, Steps, no_matter

Value = TypeVar("Value")
Result = TypeVar("Result")
MAX_LOCAL_TASKS = 4
"""So few tasks are done sooner in this process than workers are started for them."""
MAX_HELD = 16
"""Shared objects that a worker remembers: those that it used last."""


class Handle(NamedTuple, Generic[Value]):
    """Where workers find a shared object. Ray passes it on without fetching the object."""

    reference: list[Any]
    key: str

    def fetched(self) -> Value:
        """The object; small ones are copied, the arrays of large ones are views of Ray's object store."""
        return ray.get(self.reference[0])  # type: ignore[no-any-return]


class Shared(Generic[Value]):
    """An object that many tasks need. It is stored for workers once, when the first task is sent to one."""

    def __init__(self, value: Value) -> None:
        self.value = value

    @cached_property
    def handle(self) -> Handle[Value]:
        """What tasks are given of it."""
        reference = ray.put(self.value)
        return Handle([reference], reference.hex())


class Held(Generic[Value]):
    """What a worker has fetched or made, by key: the things that it used last."""

    def __init__(
        self, max_held: int = MAX_HELD, max_bytes: float = inf, size_of: Callable[[Value], int] = lambda thing: 0
    ) -> None:
        """Start with nothing.

        Args:
            max_held: how many things are held.
            max_bytes: how much they take together. The last one is held however large it is.
            size_of: what one takes, in bytes.
        """
        self._max_held, self._max_bytes, self._size_of = max_held, max_bytes, size_of
        self._things: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: object) -> bool:
        return key in self._things

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        """What is held under a key. It is made if it is not there; then those go that were not used for longest."""
        with self._lock:
            thing = self._things.pop(key) if key in self._things else make()
            self._things[key] = thing
            while len(self._things) > 1 and (len(self._things) > self._max_held or self._size_bytes > self._max_bytes):
                self._things.popitem(last=False)
            return thing

    def drop(self, is_stale: Callable[[Value], bool]) -> None:
        """Let things go."""
        for key in [key for key, thing in self._things.items() if is_stale(thing)]:
            del self._things[key]

    @property
    def _size_bytes(self) -> int:
        return sum(map(self._size_of, self._things.values()))


class FunctionWorker:
    """An actor that applies any function to a shared object and a number."""

    def __init__(self) -> None:
        self._shared = Held[Any]()

    def ready(self) -> int:
        """The process id."""
        return os.getpid()

    def apply(self, function: Callable[[Any, int], Any], handle: Handle[Any], number: int) -> Any:
        """Do one task."""
        return function(self._shared.get(handle.key, handle.fetched), number)


def apply_to_each(
    shared: Shared[Value],
    function: Callable[[Value, int], Any],
    numbers: Sequence[int],
    title: str,
    received: Callable[[int, Any], None] = no_matter,
) -> Steps[None]:
    """Apply a function to each number, while it is shown how far that is: a work of one stage.

    Args:
        shared: the function's first argument.
        function: takes the shared object and a number. It may be called more than once for a number, if a worker
            fails, and must allow that. Workers must be able to import it.
        numbers: the tasks.
        title: what is done, to be shown.
        received: gets each number with the function's result, in the order in which they are finished.
    """
    if not numbers:
        return
    with progress(title, len(numbers), "task", leave=False) as shown:

        def take(number: int, result: Any) -> None:
            received(number, result)
            shown.update()

        yield Stage(
            title=title,
            tasks=numbers,
            call=lambda actor, number: actor.apply.remote(function, shared.handle, number),
            here=lambda number: function(shared.value, number),
            received=take,
        )


def function_workers(num_workers: int) -> WorkerKind:
    """Workers of one CPU each, for functions alone."""
    return WorkerKind(ray.remote(num_cpus=1, max_restarts=0)(FunctionWorker).remote, num_workers)


def carry_out(steps: Steps[Result], num_workers: int) -> Result:
    """Do a work of functions; returns what it returns. Workers start with the first stage that is worth it.

    Args:
        steps: the work.
        num_workers: processes, one CPU each.

    Raises:
        RuntimeError: if a function keeps failing for some numbers; after all others are done.
        Exception: what a function raises in this process.
    """
    with closing(WorkerPool(function_workers(num_workers))) as pool:
        return pool.do(few_here(steps, num_workers))


def few_here(steps: Steps[Result], num_workers: int) -> Generator[Stage, None, Result]:
    """The same work, but what there is to do before its first stage that is worth a worker is done in this process.

    Args:
        steps: the work.
        num_workers: processes that could do it. A stage of as many tasks, and of no more than a few, is not worth them.
    """
    max_tasks = min(num_workers, MAX_LOCAL_TASKS)
    error: Exception | None = None
    is_small = True
    with closing(steps):
        while True:
            try:
                stage = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            is_small, error = is_small and stage.here is not None and len(stage.tasks) <= max_tasks, None
            try:
                if is_small:
                    _do_here(stage)
                else:
                    yield stage
            except Exception as caught:  # noqa: BLE001 - raised in the work
                error = caught


def _do_here(stage: Stage) -> None:
    assert stage.here is not None
    for task in stage.tasks:
        stage.received(task, stage.here(task))
