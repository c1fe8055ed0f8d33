"""Many works in one pool: what one of them does, the others do not notice."""

from contextlib import closing

import pytest
import ray

from pipelines.workers.crew import WorkerKind
from pipelines.workers.functions import MAX_LOCAL_TASKS, Held, Shared, apply_to_each, carry_out, function_workers
from pipelines.workers.pool import WorkerPool
from pipelines.workers.stages import Stage, Work
from tests.pipelines.workers.test_pool import Actor, each, pool


def results_of(workers, works, max_open=2):
    """What each work returned, or the text of what it raised, by name; in the order in which they ended."""
    ended = workers.run([Work(name, steps) for name, steps in works.items()], max_open)
    return {one.work.name: str(one.error) if one.error else one.value for one in ended}


def squares(numbers, rounds):
    """Squares, of squares, of numbers."""
    for _ in range(rounds):
        numbers = sorted((yield from each("square", numbers)).values())
    return list(numbers)


def test_each_work_goes_on_by_its_own_stages(ray_here, tmp_path):
    works = {f"{size} {rounds}": squares(range(size), rounds) for size in (0, 1, 5) for rounds in (0, 1, 3)}
    with pool(tmp_path, 3) as workers:
        found = results_of(workers, works, max_open=3)
        assert found == {
            f"{size} {rounds}": [n ** (2**rounds) for n in range(size)] for size in (0, 1, 5) for rounds in (0, 1, 3)
        }
        assert results_of(workers, {}) == {}


@pytest.mark.parametrize("max_open", [1, 3])
def test_no_more_works_are_begun_than_may_be_open(ray_here, tmp_path, max_open):
    begun, ended, most = 0, 0, 0

    def work():
        nonlocal begun, most
        begun += 1
        most = max(most, begun - ended)
        return (yield from squares(range(3), 2))

    with pool(tmp_path) as workers:
        for _ in workers.run((Work(str(n), work()) for n in range(9)), max_open):
            ended += 1
    assert most == max_open


def test_what_fails_in_one_work_is_not_noticed_by_the_others(ray_here, tmp_path):
    def fails_here():
        yield from squares([1], 1)
        raise ValueError("a bad row")

    def received(task, result):
        raise OSError("no room for the result")

    def cannot_take():
        yield Stage(title="", tasks=[1, 2], call=lambda actor, n: actor.square.remote(n), received=received)

    def goes_on():
        try:
            yield from each("stumble", range(3), [1])
        except RuntimeError as error:
            return (yield from squares([len(str(error)) > 0], 1))

    works = {
        "good": squares(range(20), 3),
        "here": fails_here(),
        "task": each("stumble", range(6), [4]),
        "kills": each("trap", range(6), 3, 99),
        "result": cannot_take(),
        "handled": goes_on(),
        "also good": squares(range(20), 2),
    }
    with pool(tmp_path) as workers:
        found = results_of(workers, works, max_open=7)
    assert found["good"] == [n**8 for n in range(20)]
    assert found["also good"] == [n**4 for n in range(20)]
    assert found["here"] == "a bad row"
    assert found["result"] == "no room for the result"
    assert found["handled"] == [1]
    assert found["task"].startswith("1 tasks failed 3 times, task 4 with: OSError: disk is full")
    assert found["kills"].startswith("1 tasks failed 3 times, task 3 with: ")


def test_small_works_do_not_wait_for_large_ones(ray_here, tmp_path):
    works = {"large": each("square", range(200))} | {f"small {n}": squares(range(2), 2) for n in range(8)}
    with pool(tmp_path) as workers:
        names = list(results_of(workers, works, max_open=9))
    assert names[-1] == "large"


def test_works_are_closed_when_the_pool_is_left(ray_here, tmp_path):
    closed = []

    def work():
        try:
            yield from squares(range(50), 50)
        finally:
            closed.append(True)

    with pool(tmp_path) as workers:
        for _ in workers.run([Work("endless", work()), Work("short", squares([1], 1))], 2):
            break
        assert closed == [True]
        assert workers.do(squares([3], 1)) == [9]


def test_what_needs_no_gpu_is_done_by_helpers(ray_here, tmp_path):
    def where():
        heavy = yield from each("where", range(6), needs_gpu=True)
        light = yield from each("where", range(6))
        return set(heavy.values()), set(light.values())

    kind = WorkerKind(lambda: Actor.remote(tmp_path), 1)
    with closing(WorkerPool(kind, kind)) as workers:
        heavy, light = workers.do(where())
    assert len(heavy) == len(light) == 1
    assert heavy != light


# functions


def times(shared, number):
    return shared * number, ray.is_initialized() and ray.get_runtime_context().get_actor_id()


def test_any_function_is_applied_and_no_worker_starts_for_few_numbers(ray_here):
    def work(*sizes):
        results = []
        for size in sizes:
            found = {}
            yield from apply_to_each(Shared(7), times, range(size), "times", found.__setitem__)
            results.append(found)
        return results

    few, none, many, few_again = carry_out(work(MAX_LOCAL_TASKS, 0, 20, 1), 8)
    assert few == {n: (7 * n, None) for n in range(MAX_LOCAL_TASKS)}
    assert none == {}
    assert [many[n][0] for n in range(20)] == [7 * n for n in range(20)]
    assert None not in {actor for _, actor in many.values()}
    assert few_again[0][1] is not None  # now there are workers


def divide(shared, number):
    return shared // number


def test_what_fails_here_is_raised_as_it_is(ray_here):
    with pytest.raises(ZeroDivisionError):
        carry_out(apply_to_each(Shared(7), divide, [1, 0], "divide"), 2)


def test_a_shared_object_is_sent_once(ray_here):
    shared, found = Shared(list(range(1000))), {}

    def work():
        yield from apply_to_each(shared, identity_of, range(10), "identity", found.__setitem__)

    with closing(WorkerPool(function_workers(1))) as workers:
        workers.do(work())
    assert len(set(found.values())) == 1


def identity_of(shared, number):
    return id(shared)


def test_what_is_held_is_what_was_used_last():
    held, made = Held(max_held=2), []

    def get(key):
        return held.get(key, lambda: made.append(key) or key)

    assert [get(key) for key in "abaca"] == list("abaca")
    assert made == list("abc")
    get("b")
    assert made == list("abcb")
    assert "c" not in held
    held.drop(lambda thing: thing == "a")
    assert "a" not in held
    by_size = Held(max_bytes=5, size_of=len)
    for thing in ("aaa", "bbb", "cccccccc"):
        by_size.get(thing, lambda thing=thing: thing)
        assert thing in by_size  # the last one in any case
    assert "bbb" not in by_size
