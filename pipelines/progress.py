"""How far long work is: a bar on a terminal, and elsewhere a plain line now and then.

Whoever tells how far it is also hears that the user pressed Ctrl-C meanwhile (see `interrupts`).
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from multiprocessing.synchronize import RLock
from typing import Any, Never, TypeVar

from tqdm import tqdm

from magic.checks import printable
from pipelines import interrupts

MIN_BAR_S = 1.0
"""Work that takes no longer has no bar."""
MIN_LINE_S, MIN_LINE_SHARE = 30.0, 0.05
"""A line follows the last one when so many seconds have gone by, and so much of the whole was done."""
Item = TypeVar("Item")
_is_quiet = ContextVar("is_quiet", default=False)


class Progress:
    """Tells how far a piece of work is."""

    def __init__(
        self,
        title: str,
        total: int,
        unit: str,
        initial: int,
        bar: "tqdm[Never] | None",
        *,
        is_silent: bool = False,
    ) -> None:
        self._is_silent = is_silent
        self.title, self.total, self.unit, self.note = title, total, unit, ""
        self.num_done = initial
        self._bar = bar
        self._started = self._told_at = time.monotonic()
        self._initial = self._told = initial

    def update(self, num: int = 1) -> None:
        """Count what was done.

        Raises:
            KeyboardInterrupt: if Ctrl-C was pressed and swallowed by a library.
        """
        self.num_done += num
        if self._bar is not None:
            self._bar.set_postfix_str(self.note, refresh=False)
            self._bar.update(num)
        elif not self._is_silent and self._is_worth_a_line():
            self._tell()
        interrupts.check()

    def describe(self, title: str) -> None:
        """Say what is done now."""
        self.title = title
        if self._bar is not None:
            self._bar.set_description(title)

    def finish(self) -> None:
        """Say how far it came, where a line has said how it went."""
        if self._bar is None and self._initial < self._told < self.num_done:
            self._tell()

    def _is_worth_a_line(self) -> bool:
        is_much = self.num_done - self._told >= MIN_LINE_SHARE * self.total
        return is_much and time.monotonic() - self._told_at >= MIN_LINE_S

    def _tell(self) -> None:
        self._told, self._told_at = self.num_done, time.monotonic()
        minutes, seconds = divmod(round(self._told_at - self._started), 60)
        note = f", {self.note}" if self.note else ""
        done = f"{self.num_done} of {self.total} {self.unit}s in {minutes}:{seconds:02d} min"
        sys.stderr.write(f"{self.title}: {done}{note}\n")
        sys.stderr.flush()


@contextmanager
def progress(
    title: str, total: int, unit: str, *, initial: int = 0, leave: bool = True, position: int | None = None
) -> Iterator[Progress]:
    """Show how far the work in the block is, if it takes longer than a moment.

    Args:
        title: what is done.
        total: how much there is to do.
        unit: what is counted, in the singular.
        initial: how much of it was done before.
        leave: whether the bar stays on the terminal.
        position: the line of the terminal, where several processes have bars.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed in the block, also where a library swallowed it.
    """
    title = printable(title)  # it may have the name of a file in it
    if _is_quiet.get():
        yield Progress(title, total, unit, initial, None, is_silent=True)
        return
    with interrupts.heeded(), ExitStack() as stack:
        bar: tqdm[Never] | None = None
        if sys.stderr.isatty():
            options: dict[str, Any] = {"desc": title, "total": total, "unit": unit, "initial": initial}
            bar = stack.enter_context(tqdm(**options, leave=leave, position=position, delay=MIN_BAR_S))
        shown = Progress(title, total, unit, initial, bar)
        yield shown
        shown.finish()
        interrupts.check()


def counted(items: Iterable[Item], title: str, total: int, unit: str, *, leave: bool = True) -> Iterator[Item]:
    """The items, while it is shown how many of them have come."""
    with progress(title, total, unit, leave=leave) as shown:
        for item in items:
            yield item
            shown.update()


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block, parts of a larger work do not tell how far they are: the work itself does."""
    before = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(before)


def share_terminal(lock: RLock) -> None:
    """Let the bars of several processes take turns by one lock."""
    tqdm.set_lock(lock)
