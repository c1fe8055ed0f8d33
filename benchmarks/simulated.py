"""Simulated actors, for pools of more workers than this machine can hold.

They are no processes and do nothing; each of their tasks is completed when its time is over.
"""

import heapq
import random
import threading
import time
from concurrent.futures import Future
from itertools import count
from types import SimpleNamespace

SPREAD = 0.3
"""How much longer or shorter a task may take than on average, as a share of its time."""


class Clock:
    """A thread that completes each future when its time has come."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Future]] = []
        self.numbers, self._change, self._over = count(), threading.Condition(), False
        threading.Thread(target=self._run, daemon=True).start()

    def at(self, moment: float) -> SimpleNamespace:
        """In place of a Ray object reference: an object whose `future()` is completed at that moment."""
        future: Future = Future()
        with self._change:
            heapq.heappush(self._due, (moment, next(self.numbers), future))
            self._change.notify()
        return SimpleNamespace(future=lambda: future)

    def close(self) -> None:
        with self._change:
            self._over = True
            self._change.notify()

    def _run(self) -> None:
        while not self._over:
            with self._change:
                if not self._due or self._due[0][0] > time.monotonic():
                    self._change.wait(self._due[0][0] - time.monotonic() if self._due else None)
                    continue
                _, _, future = heapq.heappop(self._due)
            future.set_result(None)


class SimulatedActor:
    """In place of a Ray actor: it takes one task after the other.

    A task takes the seconds that it names on average, more or less at random, so that not all workers' tasks end at
    the same moment.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._free, self._random = clock, 0.0, random.Random(next(clock.numbers))
        self.ready = SimpleNamespace(remote=lambda: clock.at(0.0))
        self.nap = SimpleNamespace(remote=self._nap)

    def _nap(self, number: int, seconds: float) -> SimpleNamespace:
        self._free = max(self._free, time.monotonic()) + seconds * self._random.uniform(1 - SPREAD, 1 + SPREAD)
        return self._clock.at(self._free)
