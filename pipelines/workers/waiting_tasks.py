"""The tasks of a stage that no worker has yet, and where their suspended work is."""

from collections import deque
from collections.abc import Iterable, Sequence
from math import sqrt

from pipelines.workers.worker import Worker, is_failing

GOLDEN = (sqrt(5) - 1) / 2
"""Multiples of it, modulo 1, are spread evenly over 0..1, however many they are."""


class TaskHomes:
    """Which worker holds the suspended work of a task and can go on with it faster than any other.

    Whoever has several stages of the same tasks creates one and passes it to each of them. Only the pool writes it.
    """

    def __init__(self) -> None:
        self._homes: dict[int, Worker] = {}

    def home_of(self, task: int) -> Worker | None:
        """The worker that holds suspended work of a task, or None."""
        return self._homes.get(task)

    def settle(self, task: int, worker: Worker) -> None:
        """Record that a worker now holds suspended work of a task, and no other worker does."""
        self._homes[task] = worker

    def forget(self, task: int) -> None:
        """Record that no worker holds suspended work of a task."""
        self._homes.pop(task, None)


class WaitingTasks:
    """Tasks that are not assigned yet: a queue for each worker that is a home, one for the untried tasks without, and
    one for those to be tried again.
    """

    def __init__(self, tasks: Iterable[int], homes: TaskHomes) -> None:
        self._again: deque[int] = deque()
        self._homeless: deque[int] = deque()
        self._by_home: dict[Worker, deque[int]] = {}
        self._num_tasks = 0
        self._spread = 0.0
        """Where in a queue the latest task was that a worker got after a failure, 0 to 1."""
        for task in tasks:
            home = homes.home_of(task)
            queue = self._homeless if home is None else self._by_home.setdefault(home, deque())
            queue.append(task)
            self._num_tasks += 1

    def __len__(self) -> int:
        return self._num_tasks

    @property
    def num_untried(self) -> int:
        """How many of them were not tried yet."""
        return self._num_tasks - len(self._again)

    def has_only_others_own(self, worker: Worker) -> bool:
        """Whether all of them have suspended work that other workers hold."""
        return not (self._again or self._homeless or self._by_home.get(worker))

    def take(self, worker: Worker) -> int:
        """Remove and return the next task for a worker.

        That is one to be tried again; else the first task at home there; else the first without a home; else the last
        task of the worker that has the longest queue at home. A worker that has finished none yet, or on which the last
        one failed, gets untried tasks first. After a failure these come from all over the queue: where neighbours fail
        together, the others tell whether everything does.
        """
        self._num_tasks -= 1
        queue, place = self._queue_for(worker), 0
        if queue is not self._again and worker.num_failed:
            self._spread = (self._spread + GOLDEN) % 1
            place = int(self._spread * len(queue))
        elif all(queue is not other for other in (self._again, self._homeless, self._by_home.get(worker))):
            place = -1
        task = queue[place]
        del queue[place]
        return task

    def put_back(self, tasks: Sequence[int]) -> None:
        """Put tasks back that are to be tried again. They have lost their home, if any."""
        self._again.extend(tasks)
        self._num_tasks += len(tasks)

    def _queue_for(self, worker: Worker) -> deque[int]:
        own = self._by_home.get(worker, deque())
        longest = max(self._by_home.values(), key=len, default=deque())
        untried = (own, self._homeless, longest)
        is_proven = worker.num_done > 0 and not worker.num_failed
        is_all_there_is = is_failing(worker)  # or it would not be asked, see trusted
        order = (self._again, *untried) if is_proven or is_all_there_is else (*untried, self._again)
        return next(queue for queue in order if queue)
