"""What a pool is given: works, each of them a coroutine that yields one stage after the other.

    def brewed(kettle, cups):                      a work
        yield Stage(title="boil", ...)             its first stage: tasks that may be done in any order
        yield Stage(title="pour", ...)             begins when all tasks of the first are done
        return "tea"                               what the work ends with

A stage is a barrier within its own work only: while one work waits for its last task, workers do tasks of others.
"""

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pipelines.workers.waiting_tasks import TaskHomes

Result = TypeVar("Result")
Steps = Generator["Stage", None, Result]
"""A coroutine that yields stages, and is resumed when all tasks of a stage are done. If tasks failed too often, a
RuntimeError is raised in it, where it waits; what it does not handle ends the work."""


def no_matter(task: int, result: Any) -> None:
    """Take a result that nobody needs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """Tasks that may be done in any order, by any worker."""

    title: str
    """What is done, for people."""
    tasks: Sequence[int]
    """Their numbers, all different."""
    call: Callable[[Any, int], Any]
    """Starts a task on an actor, and returns the reference of its result. It may be called more than once for a task,
    if a worker fails, and the task must allow that."""
    here: Callable[[int], Any] | None = None
    """Does a task in this process, and returns its result; None if only a worker can."""
    received: Callable[[int, Any], None] = no_matter
    """Gets each task with its result, as they come. What it raises ends the work."""
    operations: float = 0
    """Planned operations of one task, by which tasks are compared; 0 where nobody knows."""
    operations_after: float = 0
    """Planned operations of the work's stages that follow this one."""
    model: Hashable = None
    """What a worker loads for these tasks and keeps for others, if anything."""
    needs_gpu: bool = False
    """Whether a worker without a GPU cannot do them where there are workers with one."""
    homes: TaskHomes = field(default_factory=TaskHomes)
    """Which worker holds suspended work of a task; it is preferred for the task. The pool keeps it up to date for
    later stages of the same tasks, which are given the same one."""
    kept: Callable[[Any], bool] = lambda result: False
    """Tells from a task's result whether the worker kept suspended work of the task."""


@dataclass(eq=False)
class Work(Generic[Result]):
    """Something that takes several stages."""

    name: str
    """For messages."""
    steps: Steps[Result]
    num_done: int = 0
    """Tasks of it that were done so far."""


@dataclass(frozen=True, eq=False)
class Ended(Generic[Result]):
    """A work that is over."""

    work: Work[Result]
    value: Result | None
    """What it returned; None if it failed."""
    error: Exception | None
    """What it raised."""
