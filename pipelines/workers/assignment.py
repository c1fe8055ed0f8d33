"""The policy that decides which worker gets which task.

Nothing here starts, waits or reads the system's clock. What depends on the time is given it as `now`, in seconds of any
clock that only goes forward.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from typing import Protocol, TypeVar

from pipelines.workers.waiting_tasks import WaitingTasks
from pipelines.workers.worker import MAX_FAILURES_IN_A_ROW, Tasks, Worker


class Queue(Tasks, Protocol):
    """Tasks of one stage of a work, as far as the policy sees them."""

    @property
    def waiting(self) -> WaitingTasks:
        """Those that are not assigned yet."""

    @property
    def operations_left(self) -> float:
        """Planned operations of what waits in it, and of all that comes after it."""


AnyQueue = TypeVar("AnyQueue", bound=Queue)


def total_speed(workers: Iterable[Worker]) -> float:
    """Planned operations per second of all workers whose pace is known."""
    return sum(1 / worker.operation_s for worker in workers if worker.operation_s is not None)


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


def is_worth_a_task(
    worker: Worker, workers: Sequence[Worker], queue: Queue, *, waiting: float, speed: float, now: float
) -> bool:
    """Whether a worker should get one more task.

    It should not if the other workers would finish everything that waits before this worker finished this task: all
    would then wait for a slow worker. The decision is final, since a task cannot be taken back: one that ray.cancel
    (Ray 2.60) finds in an actor's queue is reported as cancelled, and runs all the same. A worker that has finished
    none yet gets a single task.

    Args:
        worker: the candidate, which has room for a task.
        workers: all workers, the candidate among them.
        queue: where the task would be taken.
        waiting: planned operations of all tasks that are not assigned yet.
        speed: total_speed of all workers. The caller computes it once for many candidates.
        now: the time, in seconds.
    """
    operations = queue.operations
    if (worker.operation_s if operations else worker.num_done or None) is None:
        return not worker.assigned  # one task, to learn its speed
    if not operations:
        return True
    free_s, operation_s = worker.outlook(now)
    end_s = free_s + operations * operation_s
    if waiting > end_s * speed:  # a cheap bound that settles most cases: together they cannot do all by then
        return True
    num_done, num_waiting = 0, waiting / operations
    for other in workers:
        if other is not worker and other.operation_s is not None:
            free_s, operation_s = other.outlook(now)
            task_s = operations * operation_s
            num_done += max(ceil((end_s - free_s) / task_s) - 1, 0)  # finished before end_s: of equals one must take it
            if num_done >= num_waiting:
                return False
    return True


def best_queue(worker: Worker, queues: Iterable[AnyQueue]) -> AnyQueue:
    """Where a worker takes its next task: the queues are compared by these, one after the other.

    1. Not of the work whose task failed on it last, so that tasks of others show whose fault that was.
    2. Not one with nothing but tasks whose suspended work other workers hold.
    3. One whose model it has loaded.
    4. The work with least left to do: so small works do not wait for large ones, and what is begun is finished.
    """
    return min(
        queues,
        key=lambda queue: (
            worker.num_failed > 0 and queue.work is worker.failed_at,
            queue.waiting.has_only_others_own(worker),
            queue.model is not None and queue.model not in worker.models,
            queue.operations_left,
        ),
    )


def assignments(
    workers: Sequence[Worker], queues: Iterable[AnyQueue], max_assigned: int, clock: Callable[[], float]
) -> Iterator[tuple[Worker, AnyQueue, int]]:
    """A worker, a queue, and the task of it that the worker gets, until no worker has room or is worth a task.

    Each task is taken from those that wait. The caller gives it to the worker before it asks for the next one.

    Args:
        workers: those that are ready.
        queues: the tasks to assign.
        max_assigned: how many unfinished tasks a worker may have. All get a first one before any gets a second.
        clock: tells the time in seconds, before each decision: to ask a thousand workers takes a while.
    """
    queues = [queue for queue in queues if queue.waiting]
    workers = trusted(workers, has_untried=any(queue.waiting.num_untried for queue in queues))
    speed = total_speed(workers) if queues else 0.0
    waiting = sum(len(queue.waiting) * queue.operations for queue in queues)
    for num_assigned in range(max_assigned):
        for worker in workers:
            if not queues:
                return
            if len(worker.assigned) > num_assigned:
                continue
            queue = best_queue(worker, queues)
            if is_worth_a_task(worker, workers, queue, waiting=waiting, speed=speed, now=clock()):
                waiting -= queue.operations
                yield worker, queue, queue.waiting.take(worker)
                if not queue.waiting:
                    queues.remove(queue)
