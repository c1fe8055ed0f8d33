"""The same work with many things, side by side on the cores of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import RLock
from typing import TypeVar

import torch
from tqdm import tqdm

Thing = TypeVar("Thing")
Result = TypeVar("Result")
_place = 0  # of this process


def places(things: int) -> int:
    """How many are worked on at a time: as many as there are cores. A GPU takes one after the other."""
    return 1 if torch.cuda.is_available() else max(min(torch.get_num_threads(), things), 1)


def side_by_side(work: Callable[[Thing, int], Result], things: Sequence[Thing]) -> list[Result]:
    """The results in the things' order. Small networks do more in two processes on a core each than in one on both.

    Args:
        work: is given a thing and its place, from 0 on, that it shares with no other at the time. What it raises ends
            all of it.
        things: with which to work.
    """
    together = places(len(things))
    if together == 1:
        return [work(thing, 0) for thing in things]
    context = multiprocessing.get_context("spawn")
    free = context.SimpleQueue()
    for place in range(together):
        free.put(place)
    given = (free, context.RLock(), torch.get_num_threads() // together)
    pool = ProcessPoolExecutor(together, context, _begin, given)
    try:
        return list(pool.map(partial(_at_place, work), things))
    except BaseException:
        for process in multiprocessing.active_children():  # or leaving would wait for them
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(free: "SimpleQueue[int]", lock: RLock, threads: int) -> None:
    global _place
    _place = free.get()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the process that began this one says what Ctrl-C means
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    tqdm.set_lock(lock)
    torch.set_num_threads(threads)


def _end_with(parent: BaseProcess) -> None:
    wait([parent.sentinel])
    os._exit(1)  # it was killed: nobody waits for results


def _at_place(work: Callable[[Thing, int], Result], thing: Thing) -> Result:
    return work(thing, _place)
