"""Child processes that are waited for and that end with the tests."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

STARTING_S = 120
ENDING_S = 15


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command: Sequence[str], log: Path, **more) -> subprocess.Popen:
    """A process in a group of its own, whose output goes to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **more)


def wait_until(there: Callable[[], bool], what: str, log: Path | None = None, process: subprocess.Popen | None = None):
    """Wait for a server.

    Raises:
        RuntimeError: if it ends, or is not there in time; with the end of its log.
    """
    end = time.monotonic() + STARTING_S
    while not there():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > end:
            tail = log.read_text(errors="replace")[-3000:] if log is not None and log.exists() else ""
            raise RuntimeError(f"{what} {'ended' if ended else 'did not start'}: {tail}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether anybody answers there, whatever the answer."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def end(process: subprocess.Popen, how: int = signal.SIGTERM) -> None:
    """End a process with all that it started; those that do not listen are killed."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, how)
    _, alive = psutil.wait_procs([psutil.Process(process.pid), *family], timeout=ENDING_S)
    for left in alive:
        with contextlib.suppress(psutil.NoSuchProcess):  # it went meanwhile
            left.kill()
    process.wait()
