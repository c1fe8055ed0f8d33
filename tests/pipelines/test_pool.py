import os
import signal
import time
from contextlib import closing

import pytest
import ray

from pipelines.pool import Hands, Waiting, WorkerPool


@ray.remote(num_cpus=0.1, max_restarts=0)
class Worker:
    def __init__(self, folder, fails_to_start=False):
        self.folder = folder
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

    def stumble(self, number, victim):
        if number == victim:
            raise OSError("disk is full")
        return number


def pool(folder, workers=2, **options):
    return closing(WorkerPool(lambda: Worker.remote(folder, **options), workers))


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


def times(shared, number):
    return shared * number, os.getpid()


def test_hands_do_any_function_and_start_no_worker_for_little(ray_here):
    with closing(Hands(7, 2)) as hands:
        assert dict(hands.each(times, [3, 4], "few")) == {3: (21, os.getpid()), 4: (28, os.getpid())}
        assert dict(hands.each(times, [], "none")) == {}
        many = dict(hands.each(times, range(20), "many"))
        assert [many[n][0] for n in range(20)] == [7 * n for n in range(20)]
        assert os.getpid() not in {pid for _, pid in many.values()}
