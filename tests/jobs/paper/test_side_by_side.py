"""Items are worked on side by side, one on each core; results keep their order, and an error leaves no process."""

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from jobs.paper.side_by_side import num_at_a_time, side_by_side
from tests.servers.processes import ENDING_S, start, wait_until

TWO_CORES = pytest.mark.skipif(num_at_a_time(2) < 2, reason="nothing runs side by side here")


def note(item, slot, folder: Path, num_processes: int):
    """Wait until as many are at work as should be; tell which item it was, its slot, the threads and the process."""
    (folder / str(item)).touch()
    while item < num_processes and len(list(folder.iterdir())) < num_processes:
        time.sleep(0.01)
    return item, slot, torch.get_num_threads(), os.getpid()


def say_and_sleep(item, slot, folder: Path):
    (folder / str(os.getpid())).touch()
    time.sleep(1000)


def fail_or_sleep(item, slot):
    if item == 0:
        raise ValueError("this one cannot be done")
    time.sleep(1000)


def test_results_come_in_order_from_processes_that_share_the_cores(tmp_path):
    num_threads, num_processes = torch.get_num_threads(), num_at_a_time(5)
    notes = side_by_side(partial(note, folder=tmp_path, num_processes=num_processes), range(5))
    assert [item for item, *_ in notes] == list(range(5))
    assert {slot for _, slot, *_ in notes} == set(range(num_processes))
    assert {threads for _, _, threads, _ in notes} == {num_threads // num_processes}
    assert len({pid for *_, pid in notes}) == num_processes


def test_a_single_item_has_all_of_this_process(tmp_path):
    notes = side_by_side(partial(note, folder=tmp_path, num_processes=1), [7])
    assert notes == [(7, 0, torch.get_num_threads(), os.getpid())]


@TWO_CORES
def test_one_that_fails_ends_the_others():
    with pytest.raises(ValueError, match="cannot be done"):
        side_by_side(fail_or_sleep, [0, 1])
    assert not multiprocessing.active_children()


@TWO_CORES
def test_a_process_that_is_killed_takes_its_own_along(tmp_path):
    folder = tmp_path / "at work"
    folder.mkdir()
    work = f"partial({say_and_sleep.__name__}, folder=Path({str(folder)!r}))"
    script = f"from {__name__} import *\nside_by_side({work}, [0, 1])"
    process = start([sys.executable, "-c", script], tmp_path / "log")
    wait_until(lambda: len(list(folder.iterdir())) == 2, "two processes at work", tmp_path / "log", process)
    both = [psutil.Process(int(path.name)) for path in folder.iterdir()]
    process.kill()
    process.wait()
    _, left = psutil.wait_procs(both, timeout=ENDING_S)
    assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE]
