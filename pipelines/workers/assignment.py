"""Who gets which task: workers with what they were given and how fast they are, and the tasks that wait."""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from typing import Any

NEWS = 0.3
"""Weight of the latest task in a worker's mean: tasks differ, and so does what else its machine has to do."""


@dataclass(slots=True, eq=False)
class Worker:
    """An actor, and what it was given."""

    actor: Any
    queue: deque[tuple[Future[Any], int]] = field(default_factory=deque)
    """Result and task of everything it was given and has not done, oldest first."""
    seconds: float | None = None
    """Running mean of what a task takes it, or None before its first."""
    _since: float = 0.0
    """When it was free for the oldest."""

    def give(self, result: Future[Any], task: int) -> None:
        """Queue a task that was sent to it."""
        if not self.queue:
            self._since = time.monotonic()
        self.queue.append((result, task))

    def take_off(self, task: int, *, done: bool) -> None:
        """Take a task off the queue, and learn from the time it took if it was done."""
        now = time.monotonic()
        taken, self._since = max(now - self._since, 1e-6), now
        if done:
            self.seconds = taken if self.seconds is None else (1 - NEWS) * self.seconds + NEWS * taken
        self.queue = deque(item for item in self.queue if item[1] != task)

    def outlook(self, now: float) -> tuple[float, float]:
        """Seconds until it is free, and for each further task. One that is late already counts as that slow."""
        assert self.seconds is not None
        gone = now - self._since if self.queue else 0.0
        pace = max(self.seconds, gone)
        return len(self.queue) * pace - gone, pace


def total_speed(workers: Iterable[Worker]) -> float:
    """Tasks per second of all workers whose speed is known."""
    return sum(1 / worker.seconds for worker in workers if worker.seconds is not None)


def is_worth_a_task(worker: Worker, workers: Sequence[Worker], speed: float, num_waiting: int) -> bool:
    """Whether a worker should get one more task: not if the others would do all that waits before it did this one.

    So a slow worker is given none that everybody would wait for. It must not be too late then, since a task cannot be
    taken back: one that ray.cancel (2.60) finds in an actor's queue is reported as cancelled, and runs all the same.

    Args:
        worker: whose queue has room.
        workers: all of them.
        speed: of all of them together, in tasks per second.
        num_waiting: how many tasks nobody has yet.
    """
    if worker.seconds is None:
        return not worker.queue  # one, to see how fast it is
    now = time.monotonic()
    free, pace = worker.outlook(now)
    end = free + pace
    if num_waiting > end * speed:  # there is work for everybody, which is soon said of most of the job
        return True
    done = 0
    for other in workers:
        if other is not worker and other.seconds is not None:
            free, pace = other.outlook(now)
            done += max(ceil((end - free) / pace) - 1, 0)  # only what is done before: of equals, one must take it
            if done >= num_waiting:
                return False
    return True


class Waiting:
    """Tasks that nobody has yet: those with a home apart from those without."""

    def __init__(self, tasks: Iterable[int], homes: Mapping[int, Any]) -> None:
        self._anyones: deque[int] = deque()
        self._at_home: dict[Any, deque[int]] = {}
        self._count = 0
        for task in tasks:
            home = homes.get(task)
            queue = self._anyones if home is None else self._at_home.setdefault(home, deque())
            queue.append(task)
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def take(self, actor: Any) -> int:
        """The next task for an actor: its own, one without a home, or the last of whoever has most."""
        self._count -= 1
        for queue in (self._at_home.get(actor), self._anyones):
            if queue:
                return queue.popleft()
        return max(self._at_home.values(), key=len).pop()

    def put_first(self, tasks: Sequence[int]) -> None:
        """Put tasks back, before all others without a home."""
        self._anyones.extendleft(reversed(tasks))
        self._count += len(tasks)

    def remove(self, task: int) -> None:
        """Take out a task that was put back."""
        self._anyones.remove(task)
        self._count -= 1
