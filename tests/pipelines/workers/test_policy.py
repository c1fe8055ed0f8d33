"""The whole policy, assignment and attempts together, in a simulation without processes."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.workers.assignment import assignments
from pipelines.workers.attempts import Attempts
from pipelines.workers.waiting_tasks import TaskHomes
from pipelines.workers.worker import Worker
from tests.pipelines.workers.test_assignment import Tasks

MAX_ATTEMPTS, QUEUED = 3, 2


class Simulation:
    """Workers that take so many seconds for a task each, and what fails on which of them."""

    def __init__(self, seconds, fails, tasks, at_home=False):
        self.workers = [Worker(number) for number in range(len(seconds))]
        self.seconds, self.fails, self.now = seconds, fails, 0.0
        self.busy = {}
        self.tries, self.done = Counter(), []
        homes = TaskHomes()
        for task in tasks if at_home else ():
            homes.settle(task, self.workers[task % len(self.workers)])
        self.queue, self.attempts = Tasks.of(tasks, homes), Attempts(MAX_ATTEMPTS)
        self.waiting = self.queue.waiting

    def run(self):
        while not self.is_hopeless and (self.waiting or any(worker.assigned for worker in self.workers)):
            for worker, queue, task in assignments(self.workers, [self.queue], QUEUED, lambda: self.now):
                worker.give(queue.assigned(task), self.now)
            for worker in self.workers:
                if worker.assigned:
                    self.busy.setdefault(worker, self.now + self.seconds[worker.actor])
            worker = min(self.busy, key=self.busy.get)
            self.now = self.busy.pop(worker)
            self.end(worker, worker.assigned[0])
        return self

    @property
    def is_hopeless(self):
        return self.attempts.is_hopeless(self.waiting.num_untried)

    def end(self, worker, ended):
        task = ended.task
        self.tries[task] += 1
        failed = self.fails(worker.actor, task, self.tries[task])
        worker.take_off(ended, done=not failed, now=self.now)
        if failed and not self.attempts.failed(task, OSError("disk is full")):
            self.waiting.put_back([task])
        elif not failed:
            self.attempts.succeeded(task)
            self.done.append(task)


@given(
    workers=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    first=st.integers(0, 180),
    num_bad=st.integers(0, 20),
    at_home=st.booleans(),
)
def test_neighbours_that_fail_end_nothing_else(workers, first, num_bad, at_home):
    bad = range(first, first + num_bad)
    simulation = Simulation(workers, lambda worker, task, attempt: task in bad, range(200), at_home).run()
    assert sorted(simulation.done) == [task for task in range(200) if task not in bad]
    if bad:
        assert "failed 3 times, task" in str(simulation.attempts.failure)


@pytest.mark.parametrize("times", [1, 2])
@given(workers=st.lists(st.floats(0.1, 10), min_size=1, max_size=6), num=st.integers(1, 60), at_home=st.booleans())
def test_tasks_that_fail_once_or_twice_are_done_at_last(times, workers, num, at_home):
    simulation = Simulation(workers, lambda worker, task, attempt: attempt <= times, range(num), at_home).run()
    assert sorted(simulation.done) == list(range(num))
    assert simulation.attempts.failure is None


@given(
    num_bad=st.integers(1, 20),
    bad_s=st.floats(0.01, 1),
    good_s=st.floats(1, 60),
    num_more=st.integers(1, 200),
    at_home=st.booleans(),
)
def test_a_machine_on_which_everything_fails_costs_no_task(num_bad, bad_s, good_s, num_more, at_home):
    """Of however many fast workers, beside a single slow one on another machine."""
    seconds, num = [good_s] + num_bad * [bad_s], 3 * num_bad + num_more
    simulation = Simulation(seconds, lambda worker, task, attempt: worker > 0, range(num), at_home).run()
    assert sorted(simulation.done) == list(range(num))
    assert simulation.attempts.failure is None
    assert sum(simulation.tries.values()) <= num + 4 * num_bad  # three each, and one that was queued behind them


@given(workers=st.lists(st.floats(0.1, 10), min_size=1, max_size=6), first=st.integers(0, 500), at_home=st.booleans())
def test_when_everything_fails_everywhere_the_work_ends_soon(workers, first, at_home):
    """As on a disk that is full, from some time on."""
    state = []

    def fails(worker, task, attempt):
        state.append(task)
        return len(state) > first

    simulation = Simulation(workers, fails, range(1000), at_home).run()
    assert simulation.is_hopeless
    assert len(state) - first <= 40 + 5 * len(workers)
    expected = r"10 tasks failed 3 times, task .* with: OSError: disk is full;"
    assert re.match(expected, str(simulation.attempts.failure))
