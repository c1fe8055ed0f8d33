"""The most memory that this process uses from now on."""

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

RESET_PEAK = "5"
"""What Linux takes as: let the process' peak begin at what it uses now."""


def peak_memory(device: torch.device) -> Callable[[], int]:
    """Start to watch memory.

    Memory that a process freed may be held by its allocator for later. A worker that has painted before would then seem
    to need hardly any more, so what is free is given back to the system first.

    Args:
        device: whose memory; a CPU's is that of this process.

    Returns:
        A function that tells the most bytes in use since then, beyond what was in use then. Where the system does not
        record a peak, it tells what is in use when it is called.
    """
    if device.type == "cuda":
        return _peak_of_gpu(device)
    reset = Path("/proc/self/clear_refs")
    is_linux = os.access(reset, os.W_OK)
    if is_linux:
        _give_back_free_memory()
    before = psutil.Process().memory_info().rss
    if not is_linux:
        return lambda: psutil.Process().memory_info().rss - before
    reset.write_text(RESET_PEAK)
    return lambda: _recorded_peak() - before


def _peak_of_gpu(device: torch.device) -> Callable[[], int]:
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    return lambda: torch.cuda.max_memory_allocated(device) - before


def _give_back_free_memory() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


def _recorded_peak() -> int:
    """The peak of this process' resident memory in bytes, as Linux records it."""
    line = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert line is not None
    return int(line[1]) * 1024
