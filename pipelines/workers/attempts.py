"""What failed of a stage's tasks, and what follows from it: try again, give a task up, or end the stage."""

import logging
from collections import Counter
from collections.abc import Iterable

from ray.exceptions import RayTaskError

from magic.checks import printable, typed_line

log = logging.getLogger(__name__)
MAX_CONSECUTIVE_FAILURES = 10
"""After so many tasks were given up with no success in between, a stage ends: the other tasks would fail, too."""
FEW_TASKS = 30
"""So few untried tasks are tried all the same: it takes no longer than it took to find out that tasks fail."""


class Attempts:
    """How often each task of a stage failed, and which tasks were given up."""

    def __init__(self, max_attempts: int, name: str = "") -> None:
        """Start with no failures.

        Args:
            max_attempts: how often a task may fail before it is given up.
            name: of the work and the stage, for messages.
        """
        self._max_attempts, self._name = max_attempts, f"{printable(name)}: " if name else ""
        self._num_failures = Counter[int]()
        self._num_consecutive = 0
        self._given_up: dict[int, Exception] = {}
        self._suspects: set[int] = set()

    def is_hopeless(self, num_untried: int) -> bool:
        """Whether tasks fail one after the other, so that it is not worth trying the rest.

        Args:
            num_untried: how many tasks were not tried yet. The failed ones should have been taken from among them all.
        """
        return self._num_consecutive >= MAX_CONSECUTIVE_FAILURES and num_untried >= FEW_TASKS

    @property
    def has_suspects(self) -> bool:
        """Whether there are tasks that may have killed a worker. Each worker should get one task at a time then."""
        return bool(self._suspects)

    def succeeded(self, task: int) -> None:
        """Record that a task was done."""
        self._suspects.discard(task)
        self._num_consecutive = 0

    def suspect(self, tasks: Iterable[int]) -> None:
        """Record that a worker died which had several tasks, these among them.

        Any may have killed the worker, even one that was done, since its result may be lost. So no failure is counted,
        and they stay suspects until each has succeeded or was given up.
        """
        self._suspects.update(tasks)

    def failed(self, task: int, error: Exception) -> bool:
        """Record that a task failed, or that a worker died which had this task alone.

        Args:
            task: its number.
            error: what was raised.

        Returns:
            Whether it is given up; it is to be tried again otherwise.
        """
        self._num_failures[task] += 1
        num = self._num_failures[task]
        log.warning("%stask %d failed (%d of %d): %s", self._name, task, num, self._max_attempts, cause_of(error))
        if num < self._max_attempts:
            return False
        self._given_up[task] = error
        self._num_consecutive += 1
        self._suspects.discard(task)
        return True

    @property
    def failure(self) -> RuntimeError | None:
        """What to report of the tasks that were given up, if any: their number, and the cause of the first."""
        if not self._given_up:
            return None
        task, cause = next(iter(self._given_up.items()))
        error = RuntimeError(
            f"{len(self._given_up)} tasks failed {self._max_attempts} times, task {task} with: {cause_of(cause)}; "
            "what is done is kept, and the same command tries these again"
        )
        error.__cause__ = cause
        return error


def cause_of(error: Exception) -> str:
    """The exception behind an error of Ray, in one line."""
    return typed_line(error.cause if isinstance(error, RayTaskError) else error)
