"""Actors that are no processes: their tasks are done when their time is over. For a pool of more than fit here."""

import heapq
import random
import threading
import time
from concurrent.futures import Future
from itertools import count
from types import SimpleNamespace

SPREAD = 0.3


class Clock:
    """A thread that completes futures at their times."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Future]] = []
        self.numbers, self._change, self._over = count(), threading.Condition(), False
        threading.Thread(target=self._run, daemon=True).start()

    def at(self, moment: float) -> SimpleNamespace:
        """What stands for an object reference whose result is there at that moment."""
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
    """Does one task after the other, in the seconds it is told on average: the driver hears of them one by one."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._free, self._random = clock, 0.0, random.Random(next(clock.numbers))
        self.ready = SimpleNamespace(remote=lambda: clock.at(0.0))
        self.nap = SimpleNamespace(remote=self._nap)

    def _nap(self, number: int, seconds: float) -> SimpleNamespace:
        self._free = max(self._free, time.monotonic()) + seconds * self._random.uniform(1 - SPREAD, 1 + SPREAD)
        return self._clock.at(self._free)
