"""One function for many items, side by side in processes that share the cores of this machine."""

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

from pipelines.progress import share_terminal

Item = TypeVar("Item")
Result = TypeVar("Result")
_slot = 0
"""The number of this process among those that work side by side."""


def num_at_a_time(num_items: int) -> int:
    """How many items are worked on at a time: one on each core. A GPU takes one after the other."""
    return 1 if torch.cuda.is_available() else max(min(torch.get_num_threads(), num_items), 1)


def side_by_side(work: Callable[[Item, int], Result], items: Sequence[Item]) -> list[Result]:
    """The results in the items' order.

    Two small networks in a process on each core train faster than one after the other on both cores.

    Args:
        work: takes an item and a slot, a number from 0 on that no other item has at the same time. Its first error
            ends the work on all items and is raised here.
        items: what to call it for.
    """
    num_processes = num_at_a_time(len(items))
    if num_processes == 1:
        return [work(item, 0) for item in items]
    context = multiprocessing.get_context("spawn")
    slots = context.SimpleQueue()
    for slot in range(num_processes):
        slots.put(slot)
    shared = (slots, context.RLock(), torch.get_num_threads() // num_processes)
    pool = ProcessPoolExecutor(num_processes, context, _start_process, shared)
    try:
        return list(pool.map(partial(_in_slot, work), items))
    except BaseException:
        for process in multiprocessing.active_children():  # shutdown would wait for what they are doing
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process(slots: "SimpleQueue[int]", lock: RLock, num_threads: int) -> None:
    global _slot
    _slot = slots.get()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes: the parent alone reports it
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    share_terminal(lock)
    torch.set_num_threads(num_threads)


def _end_with(parent: BaseProcess) -> None:
    """End this process when the parent is killed, because then nobody waits for its results."""
    wait([parent.sentinel])
    os._exit(1)


def _in_slot(work: Callable[[Item, int], Result], item: Item) -> Result:
    return work(item, _slot)
