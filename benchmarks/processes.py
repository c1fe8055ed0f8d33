"""A command's processes, for benchmarks that watch or kill them."""

import contextlib
import subprocess

import psutil


def family(process: subprocess.Popen) -> list[psutil.Process]:
    """The process and all processes that it started; none if it has ended."""
    try:
        own = psutil.Process(process.pid)
        return [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen) -> None:
    """Kill the process and all processes that it started."""
    for one in family(process)[::-1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
