"""How a poster will be painted, and what that takes: chosen and checked before any of it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from magic.checks import require
from magic.geometry import TileGrid, round_up
from magic.hyperparameters import Precision
from magic.networks.cost import Cost, bytes_kept, cost_of
from magic.networks.generator import Generator, Net
from magic.scene.scene import Scene, plan_grid, statistics_grid
from pipelines.painting.poster_task import PosterTask, Tiling, measured_tiles
from pipelines.painting.probe import Probe
from pipelines.posters.poster_store import CHUNK_PX
from pipelines.quantities import gigabytes

TILES_PX = (256, 512, 1024, 2048, 4096)
"""Sides of tiles to choose from."""
SMALLER = "take fewer workers or templates, a smaller --tile"


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to paint a poster, and what it takes."""

    grid: TileGrid
    keep: bool
    """Whether workers keep suspended forward passes from one statistics pass to the next, as far as memory allows."""
    spare_bytes: int
    """Memory of each worker beside a forward pass, for what it keeps."""
    worker_bytes: int
    """The most memory that each worker uses, in all."""
    flops: int
    """Floating-point operations of all workers together."""
    seconds: float
    """Time until the last tile is painted."""

    @property
    def is_whole(self) -> bool:
        """Whether the canvas is one tile, and so painted in a single pass."""
        return len(self.grid) == 1

    @property
    def tiling(self) -> Tiling:
        """What workers are told of it."""
        return Tiling(self.grid, self.keep, self.spare_bytes)


@dataclass(frozen=True)
class Planner:
    """Compares ways to paint a poster, by what the probe measured on a worker."""

    generator: Generator
    scene: Scene
    task: PosterTask
    probe: Probe
    num_workers: int
    memory_bytes: int
    """That each worker may use."""

    def same_as(self, tile_px: int, *, keep: bool) -> Plan:
        """The plan of a job that was begun. It was found to fit then, and is not compared with others."""
        (plan,) = self._plans((tile_px,), (keep,), whole=False)
        return plan

    def choose(self, tiles_px: Sequence[int], keeps: Sequence[bool], *, whole: bool | None) -> Plan:
        """The fastest plan that fits into memory.

        Args:
            tiles_px: sides of tiles to consider.
            keeps: settings of `keep` to consider.
            whole: one pass over the whole canvas: must be (True), may be (None), or must not be (False).

        Raises:
            ValueError: if none fits into a worker's memory.
        """
        plans = list(self._plans(tiles_px, keeps, whole))
        fitting = [plan for plan in plans if plan.worker_bytes <= self.memory_bytes]
        if not fitting:
            smallest = min(plans, key=lambda plan: plan.worker_bytes)
            read = smallest.grid[0].read
            raise ValueError(
                f"expected {'one pass over the canvas' if whole else 'a tile'} to fit into a worker's memory of "
                f"{gigabytes(self.memory_bytes)}, got {gigabytes(smallest.worker_bytes)} for {read.width} x "
                f"{read.height} px; {'leave out --mode whole' if whole else SMALLER}, or raise --memory-gb"
            )
        return min(fitting, key=lambda plan: plan.seconds)

    def _plans(self, tiles_px: Sequence[int], keeps: Sequence[bool], whole: bool | None) -> Iterator[Plan]:
        canvas, multiple = self.scene.canvas, self.generator.config.multiple
        longer = max(canvas.height, canvas.width)
        one_tile = round_up(longer, multiple if longer < CHUNK_PX else max(multiple, CHUNK_PX))
        if whole is not False:
            yield self._plan(plan_grid(self.generator, canvas, one_tile), keep=True)
        if whole:
            return
        for side in sorted({min(side, one_tile) for side in tiles_px}):
            for keep in keeps:
                yield self._plan(plan_grid(self.generator, canvas, side), keep=keep)

    def _plan(self, grid: TileGrid, *, keep: bool) -> Plan:
        read_px, num_measured = grid[0].read.area, len(self._measured(grid))
        pass_bytes = ceil(read_px * self.probe.peak_bytes)
        wanted_bytes = self._kept_bytes(read_px) * self._rounds(num_measured) if keep and len(grid) > 1 else 0
        room_bytes = max(min(wanted_bytes, self.memory_bytes - pass_bytes), 0)
        share_kept = room_bytes / wanted_bytes if wanted_bytes else float(keep)
        flops, seconds = self._work(grid, keep=keep, share_kept=share_kept)
        spare_bytes = max(self.memory_bytes - pass_bytes, 0)
        return Plan(grid, keep, spare_bytes, pass_bytes + room_bytes, flops, seconds)

    def _work(self, grid: TileGrid, *, keep: bool, share_kept: float) -> tuple[int, float]:
        """Operations of all workers together, and seconds until they are done."""
        num_measured, flops, seconds = len(self._measured(grid)), 0, 0.0
        for net in self.generator.nets:
            measuring, rendering = self._tile_flops(net, grid, keep=keep, share_kept=share_kept)
            flops += num_measured * measuring + len(grid) * rendering
            work = self._rounds(num_measured) * measuring + self._rounds(len(grid)) * rendering
            seconds += work / self.probe.flops_per_s[net]
        return flops, seconds + self._rounds(len(grid)) * grid[0].core.area * self.probe.store_seconds

    def _tile_flops(self, net: Net, grid: TileGrid, *, keep: bool, share_kept: float) -> tuple[int, int]:
        """Operations of one tile: for all its statistics, and for its rendering."""
        *measuring, whole = stage_flops(self.generator, self._cost, grid, net, keep=keep)
        if keep:
            expected = (1 - share_kept) * (sum(measuring) + whole) + share_kept * whole
            return int(expected - whole), whole
        return sum(measuring), whole

    def _rounds(self, num_tiles: int) -> int:
        """How many tiles the worker with most of them gets."""
        return ceil(num_tiles / self.num_workers)

    def _measured(self, grid: TileGrid) -> Sequence[int]:
        return measured_tiles(len(grid), self.task.statistics)

    def _kept_bytes(self, read_px: int) -> int:
        return max_kept_bytes(self.generator, len(self.scene.memory.templates), read_px, self.task.precision)

    @cached_property
    def _cost(self) -> Cost:
        return cost_of(self.generator.config, len(self.scene.memory.templates))


def stage_flops(generator: Generator, cost: Cost, grid: TileGrid, net: Net, *, keep: bool) -> list[int]:
    """Operations of one tile for each of a network's statistics and, last, for its rendering; each begun anew.

    Args:
        generator: whose network.
        cost: of the generator.
        grid: the tiles.
        net: which network.
        keep: whether statistics are measured on tiles as they are read to be rendered, see PosterTask.measured_tile.
    """
    read, number = grid[0].read, generator.num_statistics(net)
    grids = [grid if keep else statistics_grid(generator, grid, net, statistic) for statistic in range(number)]
    measuring = [cost.flops(net, one[0].read.height, one[0].read.width, n) for n, one in enumerate(grids)]
    return [*measuring, cost.flops(net, read.height, read.width)]


def max_kept_bytes(generator: Generator, num_templates: int, read_px: int, precision: Precision) -> int:
    """The most memory that a suspended forward pass of any of the networks holds, over so many pixels."""
    return max(bytes_kept(generator.config, net, num_templates, read_px, precision) for net in generator.nets)


def require_a_tile(generator: Generator, scene: Scene, precision: Precision, core_px: int, memory_bytes: int) -> None:
    """Refuse a memory that cannot hold a single tile between two of its norms, before any worker is asked for.

    More than that is known only when a worker has tried.

    Args:
        generator: of the poster.
        scene: its canvas and templates.
        precision: of the arithmetic.
        core_px: side of the smallest tile that may be chosen.
        memory_bytes: that a worker may use.

    Raises:
        ValueError: if it is too little.
    """
    read = plan_grid(generator, scene.canvas, core_px)[0].read
    needed = max_kept_bytes(generator, len(scene.memory.templates), read.area, precision)
    require(
        needed <= memory_bytes,
        f"{gigabytes(needed)} or more of memory for a tile of {read.width} x {read.height} px as it is read",
        gigabytes(memory_bytes),
        f"{SMALLER} or another --mode, or raise --memory-gb",
    )
