"""Faults at a chosen moment: something is done while a job runs, a server goes away and comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError

AWAY_S = 20
"""How long a stopped server stays away."""


@contextmanager
def meanwhile(when: Callable[[], object], do: Callable[[], object]) -> Iterator[list[float]]:
    """Within the block, wait until `when`, then do something; gives when it was done.

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
            if over.wait(0.2):
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
