"""Who gets which task, as tables of cases. The time is a number: it is 0 when the policy is asked."""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest

from pipelines.workers.assignment import assignments, best_queue, is_worth_a_task, total_speed
from pipelines.workers.waiting_tasks import TaskHomes, WaitingTasks
from pipelines.workers.worker import Assigned, Worker


@dataclass(eq=False)
class Tasks:
    """A queue of equal tasks."""

    waiting: WaitingTasks
    operations: float = 1.0
    operations_left: float = 0.0
    model: Any = None
    work: Any = None

    @staticmethod
    def of(tasks, homes=None, **known):
        return Tasks(WaitingTasks(tasks, homes or TaskHomes()), **known)

    def assigned(self, task):
        return Assigned(task, self, Future(), self.operations)


class Given(NamedTuple):
    """A worker of a case: its pace, its unfinished tasks, and since when it works on the oldest."""

    operation_s: float | None
    num_assigned: int = 0
    running_s: float = 0.0

    def worker(self):
        worker = Worker(None, operation_s=self.operation_s)
        for number in range(self.num_assigned):
            worker.give(Tasks.of([]).assigned(1000 + number), now=-self.running_s)
        return worker


NEW, NEW_BUSY = Given(None), Given(None, 1)
FAST, SLOW = Given(1.0), Given(8.0)
FAST_FULL, FAST_STARTED, FAST_STUCK = Given(1.0, 2), Given(1.0, 2, 0.001), Given(1.0, 1, 60.0)


@pytest.mark.parametrize(
    ("candidate", "others", "num_waiting", "expected"),
    [
        pytest.param(SLOW, 3 * [FAST], 100, True, id="there is work for everybody"),
        pytest.param(SLOW, 3 * [FAST], 22, True, id="the others do 21 in less than its 8 seconds"),
        pytest.param(SLOW, 3 * [FAST], 21, False, id="all would wait for it"),
        pytest.param(FAST, [SLOW, FAST, FAST], 1, True, id="the slow one does not keep a fast one from the last task"),
        pytest.param(SLOW, 3 * [FAST_STARTED], 19, True, id="2 of each other's 8 seconds are taken"),
        pytest.param(SLOW, 3 * [FAST_STARTED], 18, False, id="so they do 18 in less than 8 seconds"),
        pytest.param(SLOW, 3 * [FAST_FULL], 16, True, id="what they end at the same moment does not count"),
        pytest.param(SLOW, 3 * [FAST_FULL], 15, False, id="but what they end before"),
        pytest.param(SLOW, 3 * [FAST_STUCK], 1, True, id="the fast ones are late, and may be stuck"),
        pytest.param(FAST, 3 * [FAST], 1, True, id="of equals, each may get the last task"),
        pytest.param(SLOW, [], 1, True, id="there is nobody else"),
        pytest.param(NEW, 3 * [FAST], 1, True, id="a new worker gets a task to show how fast it is"),
        pytest.param(NEW_BUSY, 3 * [FAST], 100, False, id="but no second one before that is known"),
        pytest.param(SLOW, 3 * [NEW], 1, True, id="nothing is expected of workers of unknown speed"),
    ],
)
def test_a_worker_gets_a_task_unless_all_would_wait_for_it(candidate, others, num_waiting, expected):
    worker, *rest = workers = [given.worker() for given in (candidate, *others)]
    for order in (workers, [*rest, worker]):
        for operations in (1.0, 1000.0):  # the unit does not matter
            scaled = [in_units(each, operations) for each in order]
            found = is_worth_a_task(
                scaled[order.index(worker)],
                scaled,
                Tasks.of([], operations=operations),
                waiting=num_waiting * operations,
                speed=total_speed(scaled),
                now=0.0,
            )
            assert found is expected


def in_units(worker, operations):
    """The same worker, where a task has so many operations."""
    pace = worker.operation_s and worker.operation_s / operations
    assigned = [replace(given, operations=operations) for given in worker.assigned]
    return replace(worker, operation_s=pace, assigned=assigned)


@pytest.mark.parametrize(
    ("workers", "num_waiting", "max_assigned", "homes", "expected"),
    [
        pytest.param([FAST, FAST], 0, 2, {}, [], id="no task waits"),
        pytest.param([], 3, 2, {}, [], id="no worker is ready"),
        pytest.param([FAST, FAST], 4, 2, {}, [(0, 0), (1, 1), (0, 2), (1, 3)], id="one for each, then a second"),
        pytest.param([FAST, FAST], 9, 1, {}, [(0, 0), (1, 1)], id="one at a time"),
        pytest.param([FAST_FULL, FAST], 9, 2, {}, [(1, 0), (1, 1)], id="who has two gets no third"),
        pytest.param([NEW, FAST], 9, 2, {}, [(0, 0), (1, 1), (1, 2)], id="a new worker gets one"),
        pytest.param([SLOW, FAST], 3, 2, {}, [(1, 0), (1, 1)], id="a slow worker gets none of the last"),
        pytest.param([SLOW, FAST_STUCK], 1, 2, {}, [(0, 0)], id="a slow worker helps out when the fast one is stuck"),
        pytest.param([FAST, FAST], 2, 1, {0: 1, 1: 0}, [(0, 1), (1, 0)], id="tasks go home"),
        pytest.param([FAST, FAST], 3, 1, {0: 1, 1: 1}, [(0, 2), (1, 0)], id="then tasks without a home"),
        pytest.param([FAST, FAST], 4, 1, dict.fromkeys(range(4), 1), [(0, 3), (1, 0)], id="then another's last"),
    ],
)
def test_which_worker_gets_which_task(workers, num_waiting, max_assigned, homes, expected):
    workers, task_homes = [given.worker() for given in workers], TaskHomes()
    for task, place in homes.items():
        task_homes.settle(task, workers[place])
    tasks, pairs = Tasks.of(range(num_waiting), task_homes), []
    for worker, queue, task in assignments(workers, [tasks], max_assigned, clock=lambda: 0.0):
        assert queue is tasks
        worker.give(queue.assigned(task), now=0.0)
        pairs.append((workers.index(worker), task))
    assert pairs == expected
    assert len(tasks.waiting) == num_waiting - len(expected)


@pytest.mark.parametrize(
    ("given", "free_s", "task_s"),
    [
        pytest.param(FAST, 0.0, 1.0, id="idle"),
        pytest.param(Given(4.0, 1, 1.0), 3.0, 4.0, id="a quarter of a task is done"),
        pytest.param(Given(4.0, 2, 1.0), 7.0, 4.0, id="and a second one waits"),
        pytest.param(Given(4.0, 2, 10.0), 10.0, 10.0, id="late: each task counts as that slow"),
        pytest.param(Given(4.0, 1, -1.0), 5.0, 4.0, id="its task begins a second from now"),
    ],
)
def test_the_outlook_of_a_worker(given, free_s, task_s):
    assert given.worker().outlook(now=0.0) == (free_s, task_s)


@pytest.mark.parametrize(
    ("pace_before", "events", "pace_after"),
    [
        pytest.param(None, [("give", 10.0), ("done", 10.5)], 0.5, id="the first task is the mean"),
        pytest.param(2.0, [("give", 10.0), ("done", 11.0)], 0.7 * 2.0 + 0.3 * 1.0, id="the mean follows what comes"),
        pytest.param(2.0, [("give", 10.0), ("failed", 11.0)], 2.0, id="a failure tells nothing"),
        pytest.param(None, [("give", 10.0), ("failed", 11.0)], None, id="not even of a new worker"),
        pytest.param(None, [("give", 1.0), ("give", 2.0), ("failed", 5.0), ("done", 8.0)], 3.0, id="one after another"),
        pytest.param(None, [("give", 10.0), ("done", 10.0)], 1e-6, id="never zero: a speed is finite"),
    ],
)
def test_a_worker_learns_how_long_an_operation_takes(pace_before, events, pace_after):
    for operations in (1.0, 50.0):
        worker, num_given = Worker(None, operation_s=pace_before and pace_before / operations), 0
        tasks = Tasks.of([], operations=operations)
        for event, now in events:
            if event == "give":
                worker.give(tasks.assigned(num_given), now)
                num_given += 1
            else:
                worker.take_off(worker.assigned[0], done=event == "done", now=now)
        assert not worker.assigned
        assert worker.operation_s == (None if pace_after is None else pytest.approx(pace_after / operations))


def test_tasks_of_unknown_cost_say_nothing_about_a_workers_pace():
    worker, unknown = Worker(None, operation_s=2.0), Tasks.of([1, 2], operations=0)
    worker.give(unknown.assigned(1), now=0.0)
    assert worker.outlook(now=100.0) == (0.0, 2.0)
    worker.take_off(worker.assigned[0], done=True, now=500.0)
    assert worker.operation_s == 2.0
    assert is_worth_a_task(worker, [worker], unknown, waiting=0, speed=0.5, now=0.0)


def test_which_work_a_worker_goes_on_with():
    worker, elsewhere, homes = Worker("one", models={"a"}), Worker("other"), TaskHomes()
    homes.settle(0, elsewhere)
    order = [
        Tasks.of([0, 1], model="a", operations_left=1.0),
        Tasks.of([0], model="a", operations_left=2.0),
        Tasks.of([0], model=None, operations_left=3.0),  # functions need no model
        Tasks.of([0], model="b", operations_left=1.0),
        Tasks.of([0], homes, model="a", operations_left=0.0),  # what another goes on with
        Tasks.of([0, 1], model="a", operations_left=0.0, work="bad"),
    ]
    worker.num_failed, worker.failed_at = 1, "bad"
    left = order[::-1]
    for expected in order:
        assert best_queue(worker, left) is expected
        left.remove(expected)


def test_a_task_goes_home_if_there_is_the_choice():
    a, b, c = (Worker(name) for name in "abc")
    homes = TaskHomes()
    for task, worker in {1: a, 3: b, 4: a, 5: b, 6: a}.items():
        homes.settle(task, worker)
    homes.forget(3)
    assert [homes.home_of(task) for task in (3, 4, 5)] == [None, a, b]
    waiting = WaitingTasks(range(7), homes)
    assert len(waiting) == 7
    assert [waiting.take(a) for _ in range(3)] == [1, 4, 6]  # those whose suspended work it holds
    assert waiting.take(a) == 0  # then those without a home
    assert [waiting.take(c) for _ in range(3)] == [2, 3, 5]  # and at last one that another would have gone on with
    assert not len(waiting)


def test_a_task_that_failed_is_tried_again_by_a_worker_that_does_others():
    new, proven, stumbled = Worker("new"), Worker("proven", num_done=1), Worker("stumbled", num_failed=1)
    waiting = WaitingTasks(range(100), TaskHomes())
    waiting.put_back([100, 101])
    assert waiting.take(new) == 0
    assert waiting.take(proven) == 100
    spread = [waiting.take(stumbled) for _ in range(10)]  # untried ones, from all over the queue
    assert len({task // 20 for task in spread}) == 5
    assert max(spread) < 100
    assert waiting.take(proven) == 101
    assert waiting.num_untried == 89
    waiting.put_back([100])
    assert [waiting.take(new) for _ in range(90)][-1] == 100
    assert waiting.num_untried == 0


def test_who_gets_tasks_when_some_failed():
    good, stumbled, bad = (Worker(name, num_failed=n) for name, n in (("good", 0), ("stumbled", 1), ("bad", 3)))
    for num_untried, again, expected in (
        (9, [], "good stumbled"),
        (0, [9], "good"),  # nobody tells by it whether it is the task or the worker
    ):
        tasks = Tasks.of(range(num_untried))
        tasks.waiting.put_back(again)
        given = [worker.actor for worker, _, _ in assignments([good, stumbled, bad], [tasks], 1, lambda: 0.0)]
        assert given == expected.split()
    assert [worker.actor for worker, _, _ in assignments([bad], [Tasks.of(range(9))], 1, lambda: 0.0)] == ["bad"]
