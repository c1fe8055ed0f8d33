"""Faults at a chosen moment: something is done while a job runs, a server goes away and comes back, a disk fills up."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError

AWAY_S = 20
"""How long a stopped server stays away."""
PIECE_BYTES = 1 << 16


@contextmanager
def meanwhile(when: Callable[[], object], do: Callable[[], object], *, every_s: float = 0.2) -> Iterator[list[float]]:
    """Within the block, wait until `when`, then do something; gives when it was done.

    Args:
        when: asked again and again.
        do: what is done then, once.
        every_s: how long to wait before `when` is asked again.

    Raises:
        Exception: what it raised, when the block ends.
    """
    done, failed, over = [], [], threading.Event()

    def there() -> object:
        try:
            return when()
        except (OSError, BotoCoreError):  # the storage is away just now
            return False

    def act() -> None:
        while not there():
            if over.wait(every_s):
                return
        try:
            do()
            done.append(time.time())
        except Exception as error:  # noqa: BLE001 - raised where the block ends
            failed.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def away(server_stops: Callable[[], None], server_starts: Callable[[], None]) -> None:
    """A server that is gone for a while."""
    server_stops()
    time.sleep(AWAY_S)
    server_starts()


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A disk of its own, in memory, mounted at a folder. Skips the test where this process may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("to mount a disk takes a right that this process lacks")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Write to a disk until nothing more fits on it."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PIECE_BYTES))
        except OSError:
            pass


def make_room(disk: Path) -> None:
    """Give the space back."""
    (disk / "ballast").unlink()
