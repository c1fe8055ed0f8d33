"""Progress on a terminal and in a file, and Ctrl-C that a library swallows."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios

import pytest

from pipelines import interrupts, progress
from pipelines.progress import counted


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_file_gets_a_plain_line_now_and_then(capsys, clock):
    with progress.progress("painting", 1000, "tile") as shown:
        for second in range(1000):
            clock.now = second + 1.0
            shown.note = f"loss {second}"
            shown.update()
    lines = capsys.readouterr().err
    assert "\r" not in lines
    assert lines.splitlines()[0] == "painting: 50 of 1000 tiles in 0:50 min, loss 49"
    assert len(lines.splitlines()) == 20
    assert lines.splitlines()[-1] == "painting: 1000 of 1000 tiles in 16:40 min, loss 999"


def test_slow_work_has_no_more_lines_than_fast_work_and_short_work_none(capsys, clock):
    for seconds, expected in ((3600.0, 10), (6.0, 2), (1.0, 0)):
        with progress.progress("training", 10, "step", initial=0) as shown:
            for _ in range(10):
                clock.now += seconds
                shown.update()
        assert len(capsys.readouterr().err.splitlines()) == expected


def test_what_was_done_before_is_counted_and_no_progress_is_no_line(capsys, clock):
    with progress.progress("reading", 100, "picture", initial=90) as shown:
        clock.now = 1000.0
        shown.update(0)
        shown.describe("reading on")
        shown.update(5)
    assert capsys.readouterr().err == "reading on: 95 of 100 pictures in 16:40 min\n"


def test_items_are_given_on(clock):
    assert list(counted(iter("abc"), "spelling", 3, "letter")) == list("abc")


def test_a_terminal_gets_a_bar():
    code = """
import time
from pipelines.progress import progress
with progress("painting", 3, "tile") as shown:
    for _ in range(3):
        time.sleep(0.5)
        shown.update()
"""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True)
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"\rpainting: 100%.*3/3 ", seen)


def swallowing():
    """As the import of a Cython module does."""
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("num_more", [0, 5])
def test_an_interrupt_that_a_library_swallows_is_heard_at_the_next_step_or_the_end(num_more):
    done = []

    def work():
        with progress.progress("painting", 9, "tile") as shown:
            swallowing()
            for number in range(num_more):
                done.append(number)
                shown.update()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0][:num_more]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with progress.progress("painting", 9, "tile") as shown:  # and it is not heard twice
        shown.update()


def test_an_error_that_an_interrupt_became_is_an_interrupt():
    def fail():
        swallowing()
        raise RuntimeError("release unlocked lock")

    with pytest.raises(KeyboardInterrupt) as raised, interrupts.heeded():
        fail()
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_who_ignores_the_signal_still_does():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.heeded():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
