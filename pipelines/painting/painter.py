"""Paint a poster: statistics passes for the norms, and renderings for the pixels, tile by tile; a work of many stages.

A *statistics pass* runs every tile up to one norm and merges what the tiles contribute to the mean and variance of that
norm's input over the whole canvas. The next pass needs its result, so the passes of a network follow one another; then
the network's output is rendered. The refiner comes after the mixing network, whose collage it reads from the store. A
canvas of one tile needs no passes: it is a single task.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import ray

from magic.networks.cost import cost_of
from magic.networks.generator import Net, Statistics
from magic.networks.norm import Moments
from pipelines.painting.painting import Painting
from pipelines.painting.plan import stage_flops
from pipelines.painting.poster_task import PosterTask, is_painted, missing_tiles
from pipelines.painting.tile_worker import Measurement
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_store import Coverage, PosterStore
from pipelines.progress import Progress, progress
from pipelines.workers.stages import Stage, Steps
from pipelines.workers.waiting_tasks import TaskHomes

SAVE_EVERY_S = 10.0
"""A statistics pass that is stopped loses at most so much."""


def paint(painting: Painting, frozen: Statistics | None = None) -> Steps[Statistics]:
    """Do all that is missing of a poster's layers.

    Args:
        painting: what to paint.
        frozen: the statistics to use, where they are not the poster's own.

    Returns:
        The statistics of all norms.

    Raises:
        RuntimeError: if tiles keep failing; everything else is kept.
    """
    task = painting.task
    for net, of_net in (frozen or {}).items():
        for number, moments in enumerate(of_net):
            task.store.adopt_statistics(net, number, moments)
    if is_painted(task):
        task.store.drop(UNREFINED)
        return _stored_statistics(task)
    with progress("painting", _num_tasks(task), "tile") as shown:
        if task.is_whole:
            statistics = yield from _paint_whole(painting, frozen or {})
            shown.update()
        else:
            statistics = yield from _paint_tiles(painting, shown)
    task.store.drop(UNREFINED)
    return statistics


def _num_tasks(task: PosterTask) -> int:
    if task.is_whole:
        return 1
    passes = sum(task.num_statistics.values())
    return passes * len(task.measured_tiles) + len(task.num_statistics) * len(task.grid)


def _stored_statistics(task: PosterTask) -> Statistics:
    return {
        net: [_complete(task.store.load_statistics(net, index)) for index in range(number)]
        for net, number in task.num_statistics.items()
    }


def _paint_whole(painting: Painting, frozen: Statistics) -> Steps[Statistics]:
    """Paint the only tile, and keep its statistics."""
    task, found = painting.task, dict[int, Statistics]()
    missing = {name for net in task.num_statistics for name, tiles in missing_tiles(task, net).items() if tiles}
    costs = [Costs(painting, net) for net in task.num_statistics]
    yield Stage(
        title="painting",
        tasks=[0],
        call=lambda actor, _: actor.paint.remote(painting.sent, missing - {UNREFINED}, frozen),
        received=found.__setitem__,
        operations=sum(cost.rendering for cost in costs),
        model=painting.parts.model,
        needs_gpu=True,
    )
    statistics: Statistics = {net: [_owned(each) for each in of_net] for net, of_net in found[0].items()}
    if not frozen:
        for net, of_net in statistics.items():
            for number, moments in enumerate(of_net):
                task.store.save_statistics(net, number, Coverage(1, moments))
    return statistics


def _paint_tiles(painting: Painting, shown: Progress) -> Steps[Statistics]:
    statistics: Statistics = {}
    costs = {net: Costs(painting, net) for net in painting.task.num_statistics}
    for net in painting.task.num_statistics:
        after = sum(cost.all_tiles for other, cost in costs.items() if other not in statistics and other != net)
        statistics[net] = yield from _NetworkPainter(painting, net, shown, costs[net], after).paint()
    return statistics


class Costs:
    """Planned operations of what one network takes."""

    def __init__(self, painting: Painting, net: Net) -> None:
        task, generator = painting.task, painting.generator
        cost = cost_of(generator.config, len(task.scene.memory.templates))
        *each, self.rendering = stage_flops(generator, cost, task.grid, net, keep=task.keep)
        self.measuring: list[float] = list(each)
        """Of one tile, for each statistic."""
        if task.keep and not task.is_whole:  # where each pass goes on from the one before
            self.measuring = [max(now - before, 1) for before, now in zip([0, *each], each, strict=False)]
            self.rendering = max(self.rendering - (each or [0])[-1], 1)
        self._num_measured, self._num_tiles = len(task.measured_tiles), len(task.grid)

    @property
    def all_tiles(self) -> float:
        """Of all passes over all tiles."""
        return self.after(-1)

    def after(self, statistic: int) -> float:
        """Of what follows a statistic's pass."""
        return self._num_measured * sum(self.measuring[statistic + 1 :]) + self._num_tiles * self.rendering


class _NetworkPainter:
    """Paints what one network computes of a poster."""

    def __init__(self, painting: Painting, net: Net, shown: Progress, costs: Costs, after: float) -> None:
        self.painting, self.task, self.net, self.shown = painting, painting.task, net, shown
        self.costs, self.after = costs, after
        self.homes = TaskHomes()

    def paint(self) -> Steps[list[Moments]]:
        """Measure all statistics, then render; returns the statistics."""
        statistics: list[Moments] = []
        for number in range(self.task.num_statistics[self.net]):
            self.shown.describe(f"{self.net} statistics {number + 1}/{self.task.num_statistics[self.net]}")
            statistics.append((yield from self._measure(statistics)))
        self.shown.describe(f"rendering: {self.net}")
        yield from self._render(statistics)
        return statistics

    def _render(self, statistics: Sequence[Moments]) -> Steps[None]:
        missing = missing_tiles(self.task, self.net)
        tiles = sorted(set().union(*missing.values()))
        self.shown.update(len(self.task.grid) - len(tiles))
        call = self._call("render", statistics, missing)
        received = lambda tile, _: self.shown.update()  # noqa: E731
        yield self._stage(tiles, call, received, self.costs.rendering, self.after)

    def _measure(self, statistics: Sequence[Moments]) -> Steps[Moments]:
        """The statistic that follows the given ones; goes on with what was saved of it."""
        number = len(statistics)
        covered = _SavedCoverage(self.task.store, self.net, number, self.task.measured_tiles)
        self.shown.update(covered.num_tiles)

        def received(tile: int, measurement: Measurement) -> None:
            self.shown.update()
            covered.add(tile, measurement.moments)

        after = self.after + self.costs.after(number)
        with closing(covered):
            call = self._call("measure", statistics)
            yield self._stage(covered.missing, call, received, self.costs.measuring[number], after)
        return covered.total

    def _stage(
        self,
        tiles: Sequence[int],
        call: Callable[[Any, int], Any],
        received: Callable[[int, Any], None],
        operations: float,
        after: float,
    ) -> Stage:
        return Stage(
            title=self.shown.title,
            tasks=tiles,
            call=call,
            received=received,
            operations=operations,
            operations_after=after,
            model=self.painting.parts.model,
            needs_gpu=True,
            homes=self.homes,
            kept=lambda result: isinstance(result, Measurement) and result.kept,
        )

    def _call(self, method: str, statistics: Sequence[Moments], *args: Any) -> Callable[[Any, int], Any]:
        """A call of a worker's method for a tile; what all tiles share is put into the object store once."""
        shared = [ray.put(each) for each in (list(statistics), *args)]
        sent = self.painting.sent
        return lambda actor, tile: getattr(actor, method).remote(sent, self.net, tile, *shared)


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
        self._early[tile] = _owned(moments)
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


def _owned(moments: Moments) -> Moments:
    """A copy: Ray's arrays are views of its object store, which it lets go of only then."""
    return replace(moments, mean=moments.mean.copy(), m2=moments.m2.copy())


def _complete(coverage: Coverage) -> Moments:
    assert coverage.moments is not None, "statistics of a painted poster are missing"
    return coverage.moments
