"""Tries cases one after another in a process of its own, which is killed if a case hangs or takes too much memory.

This file is also the program of that process: `python -m tests.hostile.trial KIND SEED` reads numbers of cases, one a
line, and answers each with a line of JSON.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import psutil

TIMEOUT_S = 20
"""Longer than this is a hang."""
MAX_CASE_BYTES = 1_500_000_000
"""What one case may add to the memory of the process that tries it."""
POLL_S = 0.1
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a case."""

    kind: str
    number: int
    name: str
    answer: str
    """In a word, where it was acceptable; otherwise what was wrong."""
    is_acceptable: bool
    seconds: float = 0.0
    megabytes: float = 0.0
    """Of memory that the case added at its peak."""


def try_cases(kind: str, seed: int, numbers: Iterable[int]) -> Iterator[Outcome]:
    """Try these cases of a kind; a process that had to be killed is followed by another one."""
    child = None
    try:
        for number in numbers:
            child = child if child is not None and child.is_alive else _Child(kind, seed)
            yield child.try_case(number)
    finally:
        if child is not None:
            child.end()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """The temporary folder of all processes that try cases, killed ones too: it goes when this process ends."""
    return tempfile.TemporaryDirectory(prefix="h-", dir="/tmp")


class _Child:
    """The process that tries cases."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        command = [sys.executable, "-m", "tests.hostile.trial", kind, str(seed)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": _folder().name, "SHORT_TMPDIR": _folder().name}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        if self.lines.get() != "ready\n":  # without a time limit: imports and a first poster may take long
            raise RuntimeError(f"the process that tries cases of {kind} did not start")

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def try_case(self, number: int) -> Outcome:
        assert self.process.stdin is not None
        print(number, file=self.process.stdin, flush=True)
        start, before = time.monotonic(), self._rss()
        while time.monotonic() < start + TIMEOUT_S:
            try:
                line = self.lines.get(timeout=POLL_S)
            except queue.Empty:
                if self._rss() - before > MAX_CASE_BYTES:
                    return self._killed(number, f"more than {MAX_CASE_BYTES / 1e9:g} GB", start)
                continue
            return Outcome(**json.loads(line)) if line else self._killed(number, "the process died", start)
        return self._killed(number, f"hung for {TIMEOUT_S} s", start)

    def end(self) -> None:
        """Kill it, with all that it started."""
        if self.is_alive:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                    process.kill()
            self.process.kill()
        self.process.communicate()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _killed(self, number: int, why: str, start: float) -> Outcome:
        self.end()
        seconds = time.monotonic() - start
        name = f"case {number}"
        return Outcome(kind=self.kind, number=number, name=name, answer=why, is_acceptable=False, seconds=seconds)

    def _rss(self) -> int:
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0


def _try_one(kind: str, seed: int, number: int) -> Outcome:
    """Make a case and try it, in the process for that."""
    from tests.hostile.kinds import KINDS

    rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
    reset_peak()
    name, start, before = "making it", time.monotonic(), rss_bytes()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        try:
            case = KINDS[kind].make(rng, Path(folder))
            name = case.name
            answer, is_acceptable = case.try_it(), True
        except BaseException as error:  # noqa: BLE001 - whatever came, it is what a user would have got
            place = traceback.extract_tb(error.__traceback__)[-1]
            answer, is_acceptable = f"{error!r} at {Path(place.filename).name}:{place.lineno}"[:600], False
    seconds, added = time.monotonic() - start, max(peak_bytes() - before, 0)
    if added > MAX_CASE_BYTES:
        answer, is_acceptable = f"{added / 1e9:.1f} GB of memory", False
    return Outcome(
        kind=kind,
        number=number,
        name=name,
        answer=answer,
        is_acceptable=is_acceptable,
        seconds=round(seconds, 3),
        megabytes=round(added / 1e6, 1),
    )


def reset_peak() -> None:
    """Let the kernel count this process' peak memory from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def rss_bytes() -> int:
    """Memory that this process takes now."""
    return _memory("VmRSS")


def peak_bytes() -> int:
    """The most memory that this process took since reset_peak()."""
    return _memory("VmHWM")


def _memory(field: str) -> int:
    """A field of this process' status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def _serve(kind: str, seed: int) -> None:
    from tests.hostile.kinds import KINDS

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a case prints is no answer
    KINDS[kind].prepare()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(_try_one(kind, seed, int(line)))), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
