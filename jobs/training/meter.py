"""Loss terms and shares of time between two entries of a run's curves."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from magic.training.batch import Batch


@dataclass
class Interval:
    """What was gathered since the last entry."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    """Of each loss term, still on the device."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often each loss term came: some do not come in every step."""
    num_steps: int = 0
    num_patches: int = 0
    waiting_s: float = 0.0
    """Time that was spent waiting for batches."""
    started_s: float = field(default_factory=time.perf_counter)


class Meter:
    """Gathers what the steps of one worker tell, and gives means and rates."""

    def __init__(self) -> None:
        self._interval = Interval()

    def timed(self, batches: Iterator[tuple[Tensor, Batch]]) -> Iterator[tuple[Tensor, Batch]]:
        """The same batches. The time spent waiting for them is noted."""
        while True:
            start = time.perf_counter()
            item = next(batches, None)
            self._interval.waiting_s += time.perf_counter() - start
            if item is None:
                return
            yield item

    def add(self, terms: dict[str, Tensor], num_patches: int) -> None:
        """Add one step's loss terms. Nothing waits for the device here."""
        interval = self._interval
        for name, term in terms.items():
            interval.sums[name] = interval.sums.get(name, 0) + term
            interval.counts[name] += 1
        interval.num_steps += 1
        interval.num_patches += num_patches

    def take(self, num_workers: int) -> dict[str, float]:
        """Means and rates since the last call, over all workers; the next interval begins."""
        ended, self._interval = self._interval, Interval()
        elapsed_s = self._interval.started_s - ended.started_s
        return {
            **{name: float(total) / ended.counts[name] for name, total in ended.sums.items()},
            "throughput/steps_per_s": ended.num_steps / elapsed_s,
            "throughput/patches_per_s": ended.num_patches * num_workers / elapsed_s,
            "time/data_wait_share": ended.waiting_s / elapsed_s,
        }
