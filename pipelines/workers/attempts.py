"""What failed during one WorkerPool.map, and what follows from it: try again, give a task up, or stop."""

import logging
from collections import Counter

from ray.exceptions import RayTaskError

from magic.checks import typed_line

log = logging.getLogger(__name__)
MAX_CONSECUTIVE_FAILURES = 10
"""After so many tasks were given up with no success in between, map stops: the other tasks would fail, too."""
FEW_TASKS = 30
"""So few untried tasks are tried all the same: it takes no longer than it took to find out that tasks fail."""


class Attempts:
    """How often each task failed, and which tasks were given up."""

    def __init__(self, max_attempts: int) -> None:
        """Start with no failures.

        Args:
            max_attempts: how often a task may fail before it is given up.
        """
        self._max_attempts = max_attempts
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

    def failed(self, lost: list[int], error: Exception) -> list[int]:
        """Record a failure.

        Args:
            lost: the task that failed, or all tasks of a worker that died. Of several tasks any may have killed the
                worker, even one that was done, since its result may be lost. So no failure is counted, and they become
                suspects, until each has succeeded or was given up.
            error: what was raised.

        Returns:
            The tasks to try again.
        """
        if len(lost) > 1:
            log.warning("a worker died with tasks %s", lost)
            self._suspects.update(lost)
            return lost
        return [] if self._is_given_up(lost[0], error) else lost

    def raise_for_given_up(self) -> None:
        """Report the tasks that were given up, if any.

        Raises:
            RuntimeError: with their number, and the cause of the first.
        """
        if self._given_up:
            task, cause = next(iter(self._given_up.items()))
            raise RuntimeError(
                f"{len(self._given_up)} tasks failed {self._max_attempts} times, task {task} with: {cause_of(cause)}; "
                "what is done is kept, and the same command tries these again"
            ) from cause

    def _is_given_up(self, task: int, error: Exception) -> bool:
        self._num_failures[task] += 1
        num = self._num_failures[task]
        log.warning("task %d failed (%d of %d): %s", task, num, self._max_attempts, cause_of(error))
        if num < self._max_attempts:
            return False
        self._given_up[task] = error
        self._num_consecutive += 1
        self._suspects.discard(task)
        return True


def cause_of(error: Exception) -> str:
    """The exception behind an error of Ray, in one line."""
    return typed_line(error.cause if isinstance(error, RayTaskError) else error)
