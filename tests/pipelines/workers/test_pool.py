import os
import signal
import time
from contextlib import closing, suppress

import pytest
import ray

from pipelines.workers.crew import WorkerKind
from pipelines.workers.pool import QUEUED_PER_WORKER, WorkerPool
from pipelines.workers.stages import Stage
from pipelines.workers.waiting_tasks import TaskHomes


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
    return closing(WorkerPool(WorkerKind(lambda: Actor.remote(folder, **options), workers)))


def each(method, tasks, *args, done=None, **options):
    """A work of one stage: tasks that call one of the actor's methods, each with its number and the arguments.

    Returns the results; `done` gets them as they come.
    """
    done = {} if done is None else done
    call = lambda actor, number: getattr(actor, method).remote(number, *args)  # noqa: E731
    yield Stage(title=method, tasks=tasks, call=call, received=done.__setitem__, **{"operations": 1.0, **options})
    return done


def test_every_task_is_done_once(ray_here, tmp_path):
    with pool(tmp_path, 3) as workers:
        assert workers.do(each("square", range(40))) == {n: n * n for n in range(40)}
        assert workers.do(each("square", [])) == {}


def test_a_killed_worker_loses_nothing(ray_here, tmp_path):
    with pool(tmp_path) as workers:
        assert workers.do(each("trap", range(20), 7, 2)) == {n: n * n for n in range(20)}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_always_kills_is_left_out_and_named(ray_here, tmp_path):
    done = {}
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="1 tasks failed 3 times, task 7"):
        workers.do(each("trap", range(12), 7, 99, done=done))
    assert done == {n: n * n for n in range(12) if n != 7}


def test_a_task_that_raises_is_tried_again_and_named_with_its_cause(ray_here, tmp_path):
    done = {}
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="task 3 with: OSError: disk is full"):
        workers.do(each("stumble", range(8), [3], done=done))
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


def test_when_all_fails_it_soon_ends(ray_here, tmp_path):
    """As on a full disk: most of the tasks are not even tried."""
    with pool(tmp_path) as workers, pytest.raises(RuntimeError, match="10 tasks failed 3 times"):
        workers.do(each("fail", range(200), tmp_path))
    assert len(list(tmp_path.iterdir())) < 40


def test_a_worker_on_which_everything_fails_costs_no_task(ray_here, tmp_path):
    with pool(tmp_path, 3) as workers:
        assert workers.do(each("fail_on_one", range(60), tmp_path)) == {n: n for n in range(60)}


def test_ten_neighbours_that_fail_end_nothing_else(ray_here, tmp_path):
    done = {}
    with (
        pool(tmp_path, 1) as workers,
        pytest.raises(RuntimeError, match=r"15 tasks failed 3 times, task 2. with: OSError"),
    ):
        workers.do(each("stumble", range(80), range(20, 35), done=done))
    assert sorted(done) == [n for n in range(80) if n not in range(20, 35)]


def test_workers_that_do_not_start_are_an_error(ray_here, tmp_path):
    with pool(tmp_path, 1, fails_to_start=True) as workers, pytest.raises(RuntimeError, match="do not start"):
        workers.do(each("square", range(3)))


def ready(workers):
    return workers._main.ready


def test_a_closed_pool_leaves_no_process(ray_here, tmp_path):
    with pool(tmp_path) as workers:
        workers.do(each("square", range(3)))
        pids = [ray.get(worker.actor.ready.remote()) for worker in ready(workers)]
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: PTH110
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_workers_start_for_tasks_alone(ray_here, tmp_path):
    with pool(tmp_path, 4) as workers:
        assert not ready(workers)
        workers.do(each("square", [5]))
        assert len(ready(workers)) == 1
        workers.do(each("square", range(5), operations=0))  # more of unknown cost than are sooner done by one
        assert len(ready(workers)) + len(workers._main.starting) == 2


def test_a_task_goes_back_to_the_worker_that_kept_its_work(ray_here, tmp_path):
    homes = TaskHomes()

    def twice():
        first = yield from each("where", range(12), homes=homes, kept=lambda pid: True)
        return first, (yield from each("where", range(12), homes=homes, kept=lambda pid: True))

    with pool(tmp_path, 2) as workers:
        first, again = workers.do(twice())
        assert sum(first[n] == again[n] for n in first) >= 6  # but for what an idle worker took over
        pids = {worker: ray.get(worker.actor.ready.remote()) for worker in ready(workers)}
    assert {n: pids[homes.home_of(n)] for n in range(12)} == again


def test_a_task_whose_work_was_not_kept_has_no_home(ray_here, tmp_path):
    homes = TaskHomes()
    with pool(tmp_path, 2) as workers:
        workers.do(each("square", range(6), homes=homes, kept=lambda square: square < 9))
        assert [homes.home_of(n) is not None for n in range(6)] == [True] * 3 + [False] * 3
        workers.do(each("square", range(6), homes=homes))
    assert not any(homes.home_of(n) for n in range(6))


def test_nobody_waits_long_for_a_slow_worker(ray_here, tmp_path):
    slow, tasks = tmp_path / "slow", 60
    with pool(tmp_path, 4) as workers:
        while len(set(workers.do(each("where", range(8))).values())) < 4:
            pass  # not all have started
        results = workers.do(each("sleep", range(tasks), slow, 0.05))
    assert {n: square for n, (square, _) in results.items()} == {n: n * n for n in range(tasks)}
    assert sorted(int(line) for line in (tmp_path / "done").read_text().split()) == list(range(tasks))
    by_slow = [is_slow for _, is_slow in results.values()]
    assert 1 <= sum(by_slow) <= tasks // 8  # a fair part would be one in 25
    assert not all(by_slow[-2:])  # the others were at work until at most one of its tasks was left


def test_few_results_are_in_memory_at_once(ray_here, tmp_path):
    num_sent, num_taken, max_held = 0, 0, 0

    def call(actor, number):
        nonlocal num_sent, max_held
        num_sent += 1
        max_held = max(max_held, num_sent - num_taken)
        return actor.square.remote(number)

    def take(number, square):
        nonlocal num_taken
        num_taken += 1

    with pool(tmp_path, 3) as workers:
        workers.do(iter_of(Stage(title="square", tasks=range(60), call=call, received=take, operations=1.0)))
    assert (num_sent, num_taken) == (60, 60)
    assert max_held <= 3 * QUEUED_PER_WORKER + 1  # and the one that is being taken


def iter_of(*stages):
    yield from stages
