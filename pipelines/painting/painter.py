"""Paint a poster: statistics passes for the norms, and renderings for the pixels, tile by tile on a pool of workers.

A *statistics pass* runs every tile up to one norm and merges what the tiles contribute to the mean and variance of that
norm's input over the whole canvas. The next pass needs its result, so the passes of a network follow one another; then
the network's output is rendered. The refiner comes after the mixing network, whose collage it reads from the store.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import ray

from magic.networks.generator import Net, Statistics
from magic.networks.norm import Moments
from pipelines.painting.missing import is_painted, missing_tiles
from pipelines.painting.poster_task import PosterTask
from pipelines.painting.tile_worker import Measurement, TileWorker
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_store import Coverage, PosterStore
from pipelines.progress import Progress, progress
from pipelines.workers.assignment import TaskHomes
from pipelines.workers.pool import WorkerPool

SAVE_EVERY_S = 10.0
"""A statistics pass that is stopped loses at most so much."""


def paint(
    task: PosterTask, frozen: Statistics | None = None, *, num_workers: int, gpus_per_worker: float
) -> Statistics:
    """Do all that is missing of a poster's layers.

    Args:
        task: what to paint.
        frozen: the statistics to use, where they are not the poster's own.
        num_workers: processes.
        gpus_per_worker: GPUs that each has, 0 for none; 0.25 lets four of them share one.

    Returns:
        The statistics of all norms.

    Raises:
        RuntimeError: if tiles keep failing; everything else is kept.
    """
    for net, of_net in (frozen or {}).items():
        for number, moments in enumerate(of_net):
            task.store.adopt_statistics(net, number, moments)
    if is_painted(task):
        task.store.drop(UNREFINED)
        return _stored_statistics(task)
    statistics: Statistics = {}
    with (
        closing(_pool(task, num_workers, gpus_per_worker)) as pool,
        progress("painting", _num_tasks(task), "tile") as shown,
    ):
        for net in task.num_statistics:
            statistics[net] = _NetworkPainter(task, net, pool, shown).paint()
    task.store.drop(UNREFINED)
    return statistics


def _num_tasks(task: PosterTask) -> int:
    passes = sum(task.num_statistics.values())
    return passes * len(task.measured_tiles) + len(task.num_statistics) * len(task.grid)


def _stored_statistics(task: PosterTask) -> Statistics:
    return {
        net: [_complete(task.store.load_statistics(net, index)) for index in range(number)]
        for net, number in task.num_statistics.items()
    }


class _NetworkPainter:
    """Paints what one network computes of a poster."""

    def __init__(self, task: PosterTask, net: Net, pool: WorkerPool, shown: Progress) -> None:
        self.task, self.net, self.pool, self.shown = task, net, pool, shown
        self.homes = TaskHomes()

    def paint(self) -> list[Moments]:
        """Measure all statistics, then render; returns the statistics."""
        statistics: list[Moments] = []
        for number in range(self.task.num_statistics[self.net]):
            self.shown.describe(f"{self.net} statistics {number + 1}/{self.task.num_statistics[self.net]}")
            statistics.append(self._measure(statistics))
        self.shown.describe(f"rendering: {self.net}")
        self._render(statistics)
        return statistics

    def _render(self, statistics: Sequence[Moments]) -> None:
        missing = missing_tiles(self.task, self.net)
        tiles = sorted(set().union(*missing.values()))
        self.shown.update(len(self.task.grid) - len(tiles))
        for _ in self.pool.map(_call("render", self.net, statistics, missing), tiles, self.homes):
            self.shown.update()

    def _measure(self, statistics: Sequence[Moments]) -> Moments:
        """The statistic that follows the given ones; goes on with what was saved of it."""
        covered = _SavedCoverage(self.task.store, self.net, len(statistics), self.task.measured_tiles)
        self.shown.update(covered.num_tiles)
        call = _call("measure", self.net, statistics)
        with closing(covered):
            for tile, measurement in self.pool.map(call, covered.missing, self.homes, kept=_is_kept):
                self.shown.update()
                covered.add(tile, measurement.moments)
        return covered.total


def _is_kept(measurement: Measurement) -> bool:
    return measurement.kept


class _SavedCoverage:
    """A statistic as far as it is measured. Moments are merged in the order of the tiles, in whichever they come."""

    def __init__(self, store: PosterStore, net: Net, number: int, tiles: Sequence[int]) -> None:
        self._store, self._net, self._number, self._tiles = store, net, number, tiles
        self._coverage = store.load_statistics(net, number)
        self._early: dict[int, Moments] = {}
        """Moments of tiles that come before their turn."""
        self._saved_at = time.monotonic()

    @property
    def num_tiles(self) -> int:
        """How many tiles are merged."""
        return self._coverage.num_tiles

    @property
    def missing(self) -> Sequence[int]:
        """Numbers of the tiles that are not merged yet."""
        return self._tiles[self.num_tiles :]

    def add(self, tile: int, moments: Moments) -> None:
        """Add a tile's moments; now and then, what is merged is saved."""
        # Ray's arrays are views of its object store: a copy lets it go
        self._early[tile] = replace(moments, mean=moments.mean.copy(), m2=moments.m2.copy())
        while self.missing and self.missing[0] in self._early:
            self._coverage = self._coverage.extended(self._early.pop(self.missing[0]))
        if time.monotonic() > self._saved_at + SAVE_EVERY_S:
            self.close()
            self._saved_at = time.monotonic()

    def close(self) -> None:
        """Save what is merged."""
        if self._coverage.moments is not None:
            self._store.save_statistics(self._net, self._number, self._coverage)

    @property
    def total(self) -> Moments:
        """The moments over all tiles."""
        assert not self.missing
        return _complete(self._coverage)


def _complete(coverage: Coverage) -> Moments:
    assert coverage.moments is not None, "statistics of a painted poster are missing"
    return coverage.moments


def _pool(task: PosterTask, num_workers: int, gpus_per_worker: float) -> WorkerPool:
    shared = ray.put(task)
    actor = ray.remote(num_cpus=task.threads, num_gpus=gpus_per_worker, max_restarts=0, max_concurrency=2)(TileWorker)
    return WorkerPool(lambda: actor.remote(shared), min(num_workers, len(task.grid)))


def _call(method: str, net: Net, statistics: Sequence[Moments], *args: Any) -> Callable[[Any, int], Any]:
    """A call of a worker's method for a tile; what all tiles share is put into the object store once."""
    shared = [ray.put(each) for each in (list(statistics), *args)]
    return lambda actor, tile: getattr(actor, method).remote(net, tile, *shared)
