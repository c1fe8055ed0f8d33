"""Progress in the driver of work that happens in another process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray.exceptions import RayError

from pipelines.progress import progress

MAX_WAIT_S = 10.0
"""For the board's answer; a bar that stands still does no harm."""
REFRESH_S = 1.0


@ray.remote(num_cpus=0)
class Board:
    """Holds how far the work is, and a note."""

    def __init__(self) -> None:
        self.latest: tuple[int, str] = (0, "")

    def put(self, position: int, note: str) -> None:
        self.latest = (position, note)

    def get(self) -> tuple[int, str]:
        return self.latest


@contextmanager
def watched(title: str, total: int, start: int, unit: str) -> Iterator[Any]:
    """A board that any process can write to. What it holds is shown as progress until the block ends."""
    board: Any = Board.remote()  # type: ignore[attr-defined]
    done = threading.Event()
    with progress(title, total, unit, initial=start) as shown:

        def show() -> None:
            with suppress(RayError):  # the work goes on without its bar
                position, shown.note = ray.get(board.get.remote(), timeout=MAX_WAIT_S)
                shown.update(max(position - shown.num_done, 0))

        def follow() -> None:
            while not done.wait(REFRESH_S):
                show()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield board
            show()
        finally:
            done.set()
            thread.join()
