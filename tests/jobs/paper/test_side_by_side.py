"""Work side by side: as many as there are cores, in the things' order, and none left when one fails."""

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from jobs.paper.side_by_side import places, side_by_side
from tests.servers.processes import ENDING_S, start, wait_until

TWO_CORES = pytest.mark.skipif(places(2) < 2, reason="nothing runs side by side here")


def note(thing, place, folder: Path, together: int):
    """Wait for as many others as should be at work now; tell who worked, where and with how many threads."""
    (folder / str(thing)).touch()
    while thing < together and len(list(folder.iterdir())) < together:
        time.sleep(0.01)
    return thing, place, torch.get_num_threads(), os.getpid()


def say_and_sleep(thing, place, folder: Path):
    (folder / str(os.getpid())).touch()
    time.sleep(1000)


def fail_or_sleep(thing, place):
    if thing == 0:
        raise ValueError("this one cannot be done")
    time.sleep(1000)


def test_results_come_in_order_from_processes_that_share_the_cores(tmp_path):
    threads, together = torch.get_num_threads(), places(5)
    made = side_by_side(partial(note, folder=tmp_path, together=together), range(5))
    assert [thing for thing, *_ in made] == list(range(5))
    assert {place for _, place, *_ in made} == set(range(together))
    assert {count for _, _, count, _ in made} == {threads // together}
    assert len({pid for *_, pid in made}) == together


def test_a_single_thing_has_all_of_this_process(tmp_path):
    made = side_by_side(partial(note, folder=tmp_path, together=1), [7])
    assert made == [(7, 0, torch.get_num_threads(), os.getpid())]


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
