import os
from contextlib import closing

from pipelines.workers.function_pool import FunctionPool


def times(shared, number):
    return shared * number, os.getpid()


def test_any_function_is_applied_and_no_worker_starts_for_few_numbers(ray_here):
    with closing(FunctionPool(7, 2)) as pool:
        assert dict(pool.map(times, [3, 4], "few")) == {3: (21, os.getpid()), 4: (28, os.getpid())}
        assert dict(pool.map(times, [], "none")) == {}
        many = dict(pool.map(times, range(20), "many"))
        assert [many[n][0] for n in range(20)] == [7 * n for n in range(20)]
        assert os.getpid() not in {pid for _, pid in many.values()}
