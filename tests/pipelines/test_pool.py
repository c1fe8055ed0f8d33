import os
import signal
import time
from contextlib import closing

import pytest
import ray

from pipelines.pool import WorkerPool


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
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="1 tiles failed 3 times, tile 7"):
        done.update(workers.map(lambda actor, n: actor.trap.remote(n, 7, 99), range(12)))
    assert done == {n: n * n for n in range(12) if n != 7}


def test_a_task_that_raises_is_tried_again_and_named_with_its_cause(ray_here, tmp_path):
    done = {}
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="tile 3 with: OSError: disk is full"):
        done.update(workers.map(lambda actor, n: actor.stumble.remote(n, 3), range(8)))
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


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
