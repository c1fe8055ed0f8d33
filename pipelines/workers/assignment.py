"""The policy that decides which worker gets which task.

Nothing here starts, waits or reads the system's clock. What depends on the time is given it as `now`, in seconds of any
clock that only goes forward.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil, sqrt
from typing import Any

SMOOTHING = 0.3
"""Weight of the latest task in a worker's mean task time. The older tasks together weigh the rest."""
MIN_TASK_S = 1e-6
"""The shortest task time that is recorded, so that a worker's speed stays finite."""
MAX_FAILURES_IN_A_ROW = 3
"""A worker on which so many tasks failed, one after the other, gets none while tasks succeed on others."""
GOLDEN = (sqrt(5) - 1) / 2
"""Multiples of it, modulo 1, are spread evenly over 0..1, however many they are."""


@dataclass(slots=True, eq=False)
class Worker:
    """An actor, the tasks that it was given and has not finished, and how long a task takes it."""

    actor: Any
    assigned: dict[int, Future[Any]] = field(default_factory=dict)
    """Each unfinished task with its future result, oldest first. The actor works on the oldest."""
    mean_task_s: float | None = None
    """Exponentially smoothed mean of its task times in seconds, or None before it has finished one."""
    num_failed: int = 0
    """How many tasks failed on it since the last one that it finished."""
    _started_at: float = 0.0
    """When it could start on its oldest task."""

    def give(self, task: int, result: Future[Any], now: float) -> None:
        """Record a task that was sent to the actor."""
        if not self.assigned:
            self._started_at = now
        self.assigned[task] = result

    def take_off(self, task: int, *, done: bool, now: float) -> None:
        """Remove a task that ended; if it was done, its time counts in the mean."""
        self.num_failed = 0 if done else self.num_failed + 1
        task_s, self._started_at = max(now - self._started_at, MIN_TASK_S), now
        if done:
            mean_s = self.mean_task_s
            self.mean_task_s = task_s if mean_s is None else (1 - SMOOTHING) * mean_s + SMOOTHING * task_s
        del self.assigned[task]

    def outlook(self, now: float) -> tuple[float, float]:
        """Seconds until the worker has finished its tasks, and seconds that it needs for each further one.

        If its current task already takes longer than its mean, that longer time is expected for all its tasks.
        """
        assert self.mean_task_s is not None
        elapsed_s = now - self._started_at if self.assigned else 0.0
        task_s = max(self.mean_task_s, elapsed_s)
        return len(self.assigned) * task_s - elapsed_s, task_s


def total_speed(workers: Iterable[Worker]) -> float:
    """Tasks per second of all workers that have finished one."""
    return sum(1 / worker.mean_task_s for worker in workers if worker.mean_task_s is not None)


def is_failing(worker: Worker) -> bool:
    """Whether everything fails on a worker, as far as one can tell."""
    return worker.num_failed >= MAX_FAILURES_IN_A_ROW


def trusted(workers: Sequence[Worker], *, has_untried: bool) -> list[Worker]:
    """The workers that should get tasks: all, unless tasks fail on some and not on others.

    When a task fails, it may be the task's fault or the worker's. So the worker shows on tasks that were not tried yet
    which it is, and the failed task waits for a worker on which the last one did not fail. A machine on which
    everything fails is left out in this way, and costs no task its attempts.

    Args:
        workers: those that are ready.
        has_untried: whether there are tasks that were not tried yet.

    Example:
        >>> good, stumbled, bad = Worker("good"), Worker("stumbled", num_failed=1), Worker("bad", num_failed=3)
        >>> [worker.actor for worker in trusted([good, stumbled, bad], has_untried=True)]
        ['good', 'stumbled']
        >>> [worker.actor for worker in trusted([good, stumbled, bad], has_untried=False)]
        ['good']
        >>> [worker.actor for worker in trusted([bad], has_untried=True)]
        ['bad']
    """
    limit = MAX_FAILURES_IN_A_ROW if has_untried else 1
    return [worker for worker in workers if worker.num_failed < limit] or list(workers)


def is_worth_a_task(worker: Worker, workers: Sequence[Worker], num_waiting: int, *, speed: float, now: float) -> bool:
    """Whether a worker should get one more task.

    It should not if the other workers would finish every waiting task before this worker finished this one: all would
    then wait for a slow worker. The decision is final, since a task cannot be taken back: one that ray.cancel
    (Ray 2.60) finds in an actor's queue is reported as cancelled, and runs all the same. A worker of unknown speed gets
    a single task.

    Args:
        worker: the candidate, which has room for a task.
        workers: all workers, the candidate among them.
        num_waiting: how many tasks are not assigned yet, at least 1.
        speed: total_speed of all workers. The caller computes it once for many candidates.
        now: the time, in seconds.

    Example:
        In the 8 seconds that a task takes the slow worker, the fast one does 7 tasks, and begins its last second with
        the eighth:

        >>> slow, fast = Worker("slow", mean_task_s=8.0), Worker("fast", mean_task_s=1.0)
        >>> speed = total_speed([slow, fast])
        >>> is_worth_a_task(slow, [slow, fast], 8, speed=speed, now=0.0)
        True
        >>> is_worth_a_task(slow, [slow, fast], 7, speed=speed, now=0.0)
        False
        >>> is_worth_a_task(fast, [slow, fast], 7, speed=speed, now=0.0)
        True
    """
    if worker.mean_task_s is None:
        return not worker.assigned  # one task, to learn its speed
    free_s, task_s = worker.outlook(now)
    end_s = free_s + task_s
    if num_waiting > end_s * speed:  # a cheap bound that settles most cases: together they cannot do all by then
        return True
    num_done = 0
    for other in workers:
        if other is not worker and other.mean_task_s is not None:
            free_s, task_s = other.outlook(now)
            num_done += max(ceil((end_s - free_s) / task_s) - 1, 0)  # finished before end_s: of equals one must take it
            if num_done >= num_waiting:
                return False
    return True


class TaskHomes:
    """Which worker holds the suspended work of a task and can go on with it faster than any other.

    Whoever maps the same tasks several times creates one and passes it to each WorkerPool.map. Only the pool writes it.
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
        is_proven = worker.mean_task_s is not None and not worker.num_failed
        is_all_there_is = is_failing(worker)  # or it would not be asked, see trusted
        order = (self._again, *untried) if is_proven or is_all_there_is else (*untried, self._again)
        return next(queue for queue in order if queue)


def assignments(
    workers: Sequence[Worker], waiting: WaitingTasks, max_assigned: int, clock: Callable[[], float]
) -> Iterator[tuple[Worker, int]]:
    """Pairs of a worker and the task that it gets, until no worker has room or is worth a task.

    Each task is taken from those that wait. The caller gives it to the worker before it asks for the next pair.

    Args:
        workers: those that are ready.
        waiting: the tasks to assign.
        max_assigned: how many unfinished tasks a worker may have. All get a first one before any gets a second.
        clock: tells the time in seconds, before each decision: to ask a thousand workers takes a while.

    Example:
        >>> workers = [Worker("slow", mean_task_s=8.0), Worker("fast", mean_task_s=1.0)]
        >>> waiting = WaitingTasks(range(20), TaskHomes())
        >>> for worker, task in assignments(workers, waiting, max_assigned=2, clock=lambda: 0.0):
        ...     worker.give(task, Future(), now=0.0)
        ...     print(worker.actor, task)
        slow 0
        fast 1
        slow 2
        fast 3
        >>> len(waiting)
        16
    """
    workers = trusted(workers, has_untried=waiting.num_untried > 0)
    speed = total_speed(workers) if waiting else 0.0
    for num_assigned in range(max_assigned):
        for worker in workers:
            has_room = waiting and len(worker.assigned) <= num_assigned
            if has_room and is_worth_a_task(worker, workers, len(waiting), speed=speed, now=clock()):
                yield worker, waiting.take(worker)
