import os
import signal
import time
from collections import deque
from concurrent.futures import Future
from contextlib import closing, suppress

import pytest
import ray

from pipelines.workers.assignment import Waiting, Worker, is_worth_a_task, total_speed
from pipelines.workers.pool import QUEUED_PER_WORKER, Hands, WorkerPool


@ray.remote(num_cpus=0.1, max_restarts=0)
class Actor:
    def __init__(self, folder, fails_to_start=False):
        self.folder = folder
        self.is_slow = False
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

    def sleep(self, number, slow, seconds):
        """A task that takes the first worker to come here eight times as long."""
        with suppress(FileExistsError):
            slow.mkdir()
            self.is_slow = True
        time.sleep(seconds * (8 if self.is_slow else 1))
        with (self.folder / "done").open("a") as file:
            file.write(f"{number}\n")
        return number * number, self.is_slow

    def stumble(self, number, victim):
        if number == victim:
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
        done.update(workers.map(lambda actor, n: actor.stumble.remote(n, 3), range(8)))
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


def test_when_all_fails_it_soon_ends(ray_here, tmp_path):
    """As on a full disk: most of the tasks are not even tried."""
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="10 tasks failed 3 times"):
        list(workers.map(lambda actor, n: actor.fail.remote(n, tmp_path), range(200)))
    assert len(list(tmp_path.iterdir())) < 40


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


def test_a_task_goes_home_if_there_is_the_choice():
    waiting = Waiting(range(7), {1: "a", 4: "a", 5: "b", 6: "a"})
    assert len(waiting) == 7
    assert [waiting.take("a") for _ in range(3)] == [1, 4, 6]  # what it has begun already
    assert waiting.take("a") == 0  # then what nobody has
    waiting.put_first([9])
    assert [waiting.take("c") for _ in range(3)] == [9, 2, 3]
    assert waiting.take("c") == 5  # and at last what another one would have gone on with
    assert not len(waiting)


def test_the_pool_says_where_tasks_were_done(ray_here, tmp_path):
    homes = {}
    with pool(tmp_path, 2) as workers:
        first = dict(workers.map(lambda actor, n: actor.where.remote(n), range(12), homes))
        again = dict(workers.map(lambda actor, n: actor.where.remote(n), range(12), homes))
    assert sum(first[n] == again[n] for n in first) >= 6  # but for what an idle worker took over
    assert set(homes) == set(range(12))


def known(seconds, queued=0, running_s=0.0):
    """A worker whose speed is known, with tasks that it was given."""
    worker = Worker(None, deque((Future(), n) for n in range(queued)), seconds)
    worker._since = time.monotonic() - running_s
    return worker


def is_worth(worker, others, num_waiting):
    workers = [worker, *others]
    return is_worth_a_task(worker, workers, total_speed(workers), num_waiting)


def test_a_slow_worker_gets_no_task_that_all_would_wait_for():
    slow, fast = known(8.0), [known(1.0) for _ in range(3)]
    assert is_worth(slow, fast, 100)
    assert is_worth(slow, fast, 22)  # the others do 21 in less than its 8 seconds
    assert not is_worth(slow, fast, 21)
    assert is_worth(fast[0], [slow, *fast[1:]], 1)
    assert is_worth(slow, [known(1.0, queued=2) for _ in range(3)], 19)  # of whose time 2 of 8 seconds are taken
    assert not is_worth(slow, [known(1.0, queued=2) for _ in range(3)], 18)
    assert is_worth(slow, [known(1.0, queued=1, running_s=60.0) for _ in range(3)], 1)  # are they stuck?
    equals = [known(1.0) for _ in range(4)]
    assert all(is_worth(worker, [w for w in equals if w is not worker], 1) for worker in equals)
    assert is_worth(known(8.0), [], 1)


def test_a_new_worker_gets_one_task_to_show_how_fast_it_is():
    new, fast = Worker(None), [known(1.0) for _ in range(3)]
    assert is_worth(new, fast, 1)
    new.give(Future(), 5)
    assert not is_worth(new, fast, 100)
    time.sleep(0.02)
    new.take_off(5, done=True)
    assert 0.02 <= new.seconds < 1
    first = new.seconds
    new.give(Future(), 6)
    new.take_off(6, done=True)
    assert 0.6 * first < new.seconds < first  # a mean, that follows what comes
    assert is_worth(new, fast, 100)


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
    begun, finished, most = 0, 0, 0

    def call(actor, number):
        nonlocal begun, most
        begun += 1
        most = max(most, begun - finished)
        return actor.square.remote(number)

    with pool(tmp_path, 3) as workers:
        for _ in workers.map(call, range(60)):
            finished += 1
    assert (begun, finished) == (60, 60)
    assert most <= 3 * QUEUED_PER_WORKER + 1  # and the one that the caller has


def times(shared, number):
    return shared * number, os.getpid()


def test_hands_do_any_function_and_start_no_worker_for_little(ray_here):
    with closing(Hands(7, 2)) as hands:
        assert dict(hands.each(times, [3, 4], "few")) == {3: (21, os.getpid()), 4: (28, os.getpid())}
        assert dict(hands.each(times, [], "none")) == {}
        many = dict(hands.each(times, range(20), "many"))
        assert [many[n][0] for n in range(20)] == [7 * n for n in range(20)]
        assert os.getpid() not in {pid for _, pid in many.values()}
