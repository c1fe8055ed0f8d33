import os
import signal
import time
from contextlib import closing, suppress

import pytest
import ray

from pipelines.workers.assignment import TaskHomes
from pipelines.workers.pool import QUEUED_PER_WORKER, WorkerPool


@ray.remote(num_cpus=0.1, max_restarts=0)
class Actor:
    def __init__(self, folder, fails_to_start=False):
        self.folder = folder
        self.is_slow = self.is_bad = False
        if fails_to_start:
            raise OSError("no model here")

    def ready(self):
        return os.getpid()

    def square(self, number):
        return number * number

    def trap(self, number, victim, times):
        """Kill this process the first so many times that the victim comes."""
        if number == victim:
            deaths = len(list(self.folder.iterdir()))
            if deaths < times:
                (self.folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    def where(self, number):
        return os.getpid()

    def fail(self, number, folder):
        (folder / str(number)).touch()
        raise OSError("disk is full")

    def fail_on_one(self, number, marks):
        """Fail in the process that comes here first, whatever the task. It is ten times as fast, too."""
        with suppress(FileExistsError):
            (marks / "bad").mkdir()
            self.is_bad = True
        if self.is_bad:
            raise OSError("no driver on this machine")
        time.sleep(0.01)
        return number

    def sleep(self, number, slow, seconds):
        """A task that takes the first worker to come here eight times as long."""
        with suppress(FileExistsError):
            slow.mkdir()
            self.is_slow = True
        time.sleep(seconds * (8 if self.is_slow else 1))
        with (self.folder / "done").open("a") as file:
            file.write(f"{number}\n")
        return number * number, self.is_slow

    def stumble(self, number, victims):
        if number in victims:
            raise OSError("disk is full")
        return number


def pool(folder, workers=2, **options):
    return closing(WorkerPool(lambda: Actor.remote(folder, **options), workers))


def test_every_task_is_done_once(ray_here, tmp_path):
    with pool(tmp_path, 3) as workers:
        results = list(workers.map(lambda actor, n: actor.square.remote(n), range(40)))
        assert sorted(results) == [(n, n * n) for n in range(40)]
        assert list(workers.map(lambda actor, n: actor.square.remote(n), [])) == []


def test_a_killed_worker_loses_nothing(ray_here, tmp_path):
    with pool(tmp_path) as workers:
        results = dict(workers.map(lambda actor, n: actor.trap.remote(n, 7, 2), range(20)))
    assert results == {n: n * n for n in range(20)}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_always_kills_is_left_out_and_named(ray_here, tmp_path):
    done = {}
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="1 tasks failed 3 times, task 7"):
        done.update(workers.map(lambda actor, n: actor.trap.remote(n, 7, 99), range(12)))
    assert done == {n: n * n for n in range(12) if n != 7}


def test_a_task_that_raises_is_tried_again_and_named_with_its_cause(ray_here, tmp_path):
    done = {}
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="task 3 with: OSError: disk is full"):
        done.update(workers.map(lambda actor, n: actor.stumble.remote(n, [3]), range(8)))
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


def test_when_all_fails_it_soon_ends(ray_here, tmp_path):
    """As on a full disk: most of the tasks are not even tried."""
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="10 tasks failed 3 times"):
        list(workers.map(lambda actor, n: actor.fail.remote(n, tmp_path), range(200)))
    assert len(list(tmp_path.iterdir())) < 40


def test_a_worker_on_which_everything_fails_costs_no_task(ray_here, tmp_path):
    with pool(tmp_path, 3) as workers:
        assert sorted(workers.map(lambda actor, n: actor.fail_on_one.remote(n, tmp_path), range(60))) == [
            (n, n) for n in range(60)
        ]


def test_ten_neighbours_that_fail_end_nothing_else(ray_here, tmp_path):
    done = {}
    with (
        pool(tmp_path, 1) as workers,
        pytest.raises(RuntimeError, match=r"15 tasks failed 3 times, task 2. with: OSError"),
    ):
        done.update(workers.map(lambda actor, n: actor.stumble.remote(n, range(20, 35)), range(80)))
    assert sorted(done) == [n for n in range(80) if n not in range(20, 35)]


def test_workers_that_do_not_start_are_an_error(ray_here, tmp_path):
    with pool(tmp_path, 1, fails_to_start=True) as workers, pytest.raises(RuntimeError, match="do not start"):
        list(workers.map(lambda actor, n: actor.square.remote(n), range(3)))


def test_a_closed_pool_leaves_no_process(ray_here, tmp_path):
    with pool(tmp_path) as workers:
        list(workers.map(lambda actor, n: actor.square.remote(n), range(3)))
        pids = [ray.get(worker.actor.ready.remote()) for worker in workers._ready]
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: PTH110
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_task_goes_back_to_the_worker_that_kept_its_work(ray_here, tmp_path):
    homes = TaskHomes()
    with pool(tmp_path, 2) as workers:
        first, again = (
            dict(workers.map(lambda actor, n: actor.where.remote(n), range(12), homes, kept=lambda pid: True))
            for _ in range(2)
        )
        assert sum(first[n] == again[n] for n in first) >= 6  # but for what an idle worker took over
        pids = {worker: ray.get(worker.actor.ready.remote()) for worker in workers._ready}
    assert {n: pids[homes.home_of(n)] for n in range(12)} == again


def test_a_task_whose_work_was_not_kept_has_no_home(ray_here, tmp_path):
    homes = TaskHomes()
    with pool(tmp_path, 2) as workers:
        list(workers.map(lambda actor, n: actor.square.remote(n), range(6), homes, kept=lambda square: square < 9))
        assert [homes.home_of(n) is not None for n in range(6)] == [True] * 3 + [False] * 3
        list(workers.map(lambda actor, n: actor.square.remote(n), range(6), homes))
    assert not any(homes.home_of(n) for n in range(6))


def test_nobody_waits_long_for_a_slow_worker(ray_here, tmp_path):
    slow, tasks = tmp_path / "slow", 60
    with pool(tmp_path, 4) as workers:
        while len({pid for _, pid in workers.map(lambda actor, n: actor.where.remote(n), range(8))}) < 4:
            pass  # not all have started
        results = list(workers.map(lambda actor, n: actor.sleep.remote(n, slow, 0.05), range(tasks)))
    assert sorted((n, square) for n, (square, _) in results) == [(n, n * n) for n in range(tasks)]
    assert sorted(int(line) for line in (tmp_path / "done").read_text().split()) == list(range(tasks))
    by_slow = [is_slow for _, (_, is_slow) in results]
    assert 1 <= sum(by_slow) <= tasks // 8  # a fair part would be one in 25
    assert not all(by_slow[-2:])  # the others were at work until at most one of its tasks was left


def test_few_results_are_in_memory_at_once(ray_here, tmp_path):
    num_sent, num_taken, max_held = 0, 0, 0

    def call(actor, number):
        nonlocal num_sent, max_held
        num_sent += 1
        max_held = max(max_held, num_sent - num_taken)
        return actor.square.remote(number)

    with pool(tmp_path, 3) as workers:
        for _ in workers.map(call, range(60)):
            num_taken += 1
    assert (num_sent, num_taken) == (60, 60)
    assert max_held <= 3 * QUEUED_PER_WORKER + 1  # and the one that the caller has
