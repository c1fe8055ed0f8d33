"""Paint a poster: statistics passes for the norms, and renderings for the pixels, tile by tile; a work of many stages.

A *statistics pass* runs every tile up to one norm and merges what the tiles contribute to the mean and variance of that
norm's input over the whole canvas. The next pass needs its result, so the passes of a network follow one another; then
the network's output is rendered. The refiner comes after the mixing network, whose collage it reads from the store. A
canvas of one tile needs no passes: it is a single task. The posters of a group share their statistics: a pass covers
the tiles of all of them.
"""

import time
from bisect import bisect
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate
from typing import Any

import ray

from magic.networks.cost import cost_of
from magic.networks.generator import Net, Statistics
from magic.networks.norm import Moments
from pipelines.painting.painting import Painting
from pipelines.painting.plan import stage_flops
from pipelines.painting.poster_task import PosterTask, are_painted, missing_tiles, num_covered
from pipelines.painting.tile_worker import Measurement
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_store import Coverage, PosterStore
from pipelines.progress import Progress, progress
from pipelines.workers.stages import Stage, Steps
from pipelines.workers.waiting_tasks import TaskHomes

SAVE_EVERY_S = 10.0
"""A statistics pass that is stopped loses at most so much."""


def paint(paintings: Sequence[Painting], frozen: Statistics | None = None) -> Steps[Statistics]:
    """Do all that is missing of the layers of a poster, or of the posters of a group.

    Args:
        paintings: what to paint. If there are several, all have the same networks, and each statistic covers the tiles
            of all of them, in their order.
        frozen: the statistics to use, where they are not their own.

    Returns:
        The statistics of all norms.

    Raises:
        RuntimeError: if tiles keep failing; everything else is kept.
    """
    tasks = [painting.task for painting in paintings]
    for net, of_net in (frozen or {}).items():
        for number, moments in enumerate(of_net):
            for task in tasks:
                task.store.adopt_statistics(net, number, moments)
    at_once = len(tasks) == 1 and tasks[0].is_whole
    if are_painted(tasks):
        statistics = _stored_statistics(tasks[0])
    else:
        with progress("painting", 1 if at_once else sum(map(_num_tasks, tasks)), "tile") as shown:
            if at_once:
                statistics = yield from _paint_whole(paintings[0], frozen or {})
                shown.update()
            else:
                statistics = yield from _paint_tiles(paintings, shown)
    for task in tasks:
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


def _paint_whole(painting: Painting, frozen: Statistics) -> Steps[Statistics]:
    """Paint the only tile, and keep its statistics."""
    task, found = painting.task, dict[int, Statistics]()
    covered = num_covered([task])
    missing = {
        name for net in task.num_statistics for name, tiles in missing_tiles(task, net, covered).items() if tiles
    }
    costs = [Costs(painting, net) for net in task.num_statistics]
    yield Stage(
        title="painting",
        tasks=[0],
        call=lambda actor, _: actor.paint.remote(painting.sent, missing - {UNREFINED}, frozen),
        received=found.__setitem__,
        operations=sum(cost.at_once for cost in costs),
        model=painting.parts.model,
        needs_gpu=True,
    )
    statistics: Statistics = {net: [_owned(each) for each in of_net] for net, of_net in found[0].items()}
    if not frozen:
        for net, of_net in statistics.items():
            for number, moments in enumerate(of_net):
                task.store.save_statistics(net, number, Coverage(1, moments))
    return statistics


def _paint_tiles(paintings: Sequence[Painting], shown: Progress) -> Steps[Statistics]:
    statistics: Statistics = {}
    nets = paintings[0].task.num_statistics
    costs = {net: [Costs(painting, net) for painting in paintings] for net in nets}
    for net in nets:
        after = sum(cost.all_tiles for other in nets if other not in (*statistics, net) for cost in costs[other])
        statistics[net] = yield from _NetworkPainter(paintings, net, shown, costs[net], after).paint()
    return statistics


class Costs:
    """Planned operations of what one network takes of a poster."""

    def __init__(self, painting: Painting, net: Net) -> None:
        task, generator = painting.task, painting.generator
        cost = cost_of(generator.config, len(task.scene.memory.templates))
        *each, self.at_once = stage_flops(generator, cost, task.grid, net, keep=task.keep)
        self.measuring: list[float] = list(each)
        """Of one tile, for each statistic."""
        self.rendering: float = self.at_once
        """Of one tile, when all statistics are known."""
        if task.keep:  # each pass goes on from the one before
            self.measuring = [max(now - before, 1) for before, now in zip([0, *each], each, strict=False)]
            self.rendering = max(self.at_once - (each or [0])[-1], 1)
        self._num_measured, self._num_tiles = len(task.measured_tiles), len(task.grid)

    @property
    def all_tiles(self) -> float:
        """Of all passes over all tiles."""
        return self.after(-1)

    def after(self, statistic: int) -> float:
        """Of what follows a statistic's pass."""
        return self._num_measured * sum(self.measuring[statistic + 1 :]) + self._num_tiles * self.rendering


class _NetworkPainter:
    """Paints what one network computes of a poster, or of those of a group.

    A task's number counts the tiles of all posters, one poster's after the other's.
    """

    def __init__(
        self, paintings: Sequence[Painting], net: Net, shown: Progress, costs: Sequence[Costs], after: float
    ) -> None:
        self.paintings, self.net, self.shown = paintings, net, shown
        self.costs, self.after = costs, after
        self.tasks = [painting.task for painting in paintings]
        self.starts = list(accumulate((len(task.grid) for task in self.tasks), initial=0))
        self.homes = TaskHomes()

    def paint(self) -> Steps[list[Moments]]:
        """Measure all statistics, then render; returns the statistics."""
        statistics: list[Moments] = []
        num_statistics = self.tasks[0].num_statistics[self.net]
        for number in range(num_statistics):
            self.shown.describe(f"{self.net} statistics {number + 1}/{num_statistics}")
            statistics.append((yield from self._measure(statistics)))
        self.shown.describe(f"rendering: {self.net}")
        yield from self._render(statistics)
        return statistics

    def _render(self, statistics: Sequence[Moments]) -> Steps[None]:
        covered = num_covered(self.tasks)
        missing = [missing_tiles(task, self.net, covered) for task in self.tasks]
        tiles = self._numbered([sorted(set().union(*each.values())) for each in missing])
        self.shown.update(self.starts[-1] - len(tiles))
        call = self._call("render", statistics, [ray.put(each) for each in missing])
        received = lambda tile, _: self.shown.update()  # noqa: E731
        yield self._stage(tiles, call, received, [cost.rendering for cost in self.costs], self.after)

    def _measure(self, statistics: Sequence[Moments]) -> Steps[Moments]:
        """The statistic that follows the given ones; goes on with what was saved of it."""
        number, stores = len(statistics), [task.store for task in self.tasks]
        covered = _SavedCoverage(stores, self.net, number, self._numbered([task.measured_tiles for task in self.tasks]))
        self.shown.update(covered.num_tiles)

        def received(tile: int, measurement: Measurement) -> None:
            self.shown.update()
            covered.add(tile, measurement.moments)

        after = self.after + sum(cost.after(number) for cost in self.costs)
        with closing(covered):
            call = self._call("measure", statistics)
            yield self._stage(covered.missing, call, received, [cost.measuring[number] for cost in self.costs], after)
        return covered.total

    def _stage(
        self,
        tiles: Sequence[int],
        call: Callable[[Any, int], Any],
        received: Callable[[int, Any], None],
        operations: Sequence[float],
        after: float,
    ) -> Stage:
        """A stage of these tasks; the operations of a tile differ from poster to poster."""
        total = sum(operations[self._place(tile)[0]] for tile in tiles)
        return Stage(
            title=self.shown.title,
            tasks=tiles,
            call=call,
            received=received,
            operations=total / max(len(tiles), 1),
            operations_after=after,
            model=self.paintings[0].parts.model,
            needs_gpu=True,
            homes=self.homes,
            kept=lambda result: isinstance(result, Measurement) and result.kept,
        )

    def _call(
        self, method: str, statistics: Sequence[Moments], of_each: Sequence[Any] | None = None
    ) -> Callable[[Any, int], Any]:
        """A call of a worker's method for a tile; what all tiles share is in the object store once."""
        shared, sent = ray.put(list(statistics)), [painting.sent for painting in self.paintings]

        def call(actor: Any, number: int) -> Any:
            poster, tile = self._place(number)
            further = () if of_each is None else (of_each[poster],)
            return getattr(actor, method).remote(sent[poster], self.net, tile, shared, *further)

        return call

    def _numbered(self, tiles: Sequence[Sequence[int]]) -> Sequence[int]:
        """The numbers of these tiles of each poster."""
        return [start + tile for start, of_one in zip(self.starts, tiles, strict=False) for tile in of_one]

    def _place(self, number: int) -> tuple[int, int]:
        """The poster and the tile that have a number."""
        poster = bisect(self.starts, number) - 1
        return poster, number - self.starts[poster]


class _SavedCoverage:
    """A statistic as far as it is measured. Moments are merged in the order of the tiles, in whichever they come."""

    def __init__(self, stores: Sequence[PosterStore], net: Net, number: int, tiles: Sequence[int]) -> None:
        """Go on with what is saved.

        Args:
            stores: of the posters that it covers. The first one keeps what is merged so far, all of them the whole.
            net: whose norm.
            number: which one.
            tiles: all that it covers, in the order in which they are merged.
        """
        self._stores, self._net, self._number, self._tiles = stores, net, number, tiles
        saved = [store.load_statistics(net, number) for store in stores]
        self._coverage = max(saved, key=lambda coverage: coverage.num_tiles)
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
            for store in self._stores[: 1 if self.missing else None]:
                store.save_statistics(self._net, self._number, self._coverage)

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
