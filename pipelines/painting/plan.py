"""How a poster will be painted, and what that takes: chosen and checked before any of it begins."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from pathlib import Path

from fsspec.core import url_to_fs

from magic.checks import require
from magic.geometry import Box, TileGrid, round_up
from magic.hyperparameters import Precision
from magic.networks.generator import Generator, Net
from magic.scene.cost import Cost, bytes_kept
from magic.scene.scene import Scene, plan_grid, sweep_grid
from pipelines.painting.painter import PosterTask, measured_tiles
from pipelines.painting.probe import Probe
from pipelines.store.poster_store import CHUNK_PX, UNREFINED

TILES_PX = (256, 512, 1024, 2048, 4096)
"""Sides of tiles to choose from."""
PYRAMID = 4 / 3
"""Of a layer: it and all its halvings."""
MARGIN = 1.2
"""What one place of the poster says of all of it."""
UNLIMITED = 1 << 62
SMALLER = "take fewer workers or templates, a smaller --tile"


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to paint a poster."""

    grid: TileGrid
    keep: bool
    """Whether workers keep what they computed of a tile from one sweep to the next, as far as their memory goes."""
    keep_bytes: int
    """Of each worker, for what it keeps."""
    held_bytes: int
    """Of each worker at most, in all."""
    flops: int
    """Of all workers together."""
    seconds: float
    """Until the last tile is painted."""

    @property
    def is_whole(self) -> bool:
        """Whether the canvas is one tile, and so painted in a single pass."""
        return len(self.grid) == 1


@dataclass(frozen=True)
class Planner:
    """Compares ways to paint a poster by what a worker was seen to do."""

    generator: Generator
    scene: Scene
    task: PosterTask
    probe: Probe
    num_workers: int
    memory_bytes: int
    """That each worker may use."""

    @cached_property
    def _cost(self) -> Cost:
        return Cost(self.generator, len(self.scene.memory.templates))

    def again(self, tile_px: int, *, keep: bool) -> Plan:
        """The plan of a job that was begun: it was found to fit, and is gone on with."""
        (plan,) = self._plans((tile_px,), (keep,), whole=False)
        return plan

    def choose(self, tiles_px: Sequence[int], keeps: Sequence[bool], *, whole: bool | None) -> Plan:
        """The fastest plan that fits.

        Args:
            tiles_px: sides of tiles to consider.
            keeps: settings of `keep` to consider.
            whole: one pass over the whole canvas: must be (True), may be (None), or must not be (False).

        Raises:
            ValueError: if none fits into a worker's memory.
        """
        plans = list(self._plans(tiles_px, keeps, whole))
        fitting = [plan for plan in plans if plan.held_bytes <= self.memory_bytes]
        if not fitting:
            least = min(plans, key=lambda plan: plan.held_bytes)
            read = least.grid[0].read
            raise ValueError(
                f"expected {'one pass over the canvas' if whole else 'a tile'} to fit into a worker's memory of "
                f"{gigabytes(self.memory_bytes)}, got {gigabytes(least.held_bytes)} for {read.width} x {read.height} "
                f"px; {'leave out --mode whole' if whole else SMALLER}, or raise --memory-gb"
            )
        return min(fitting, key=lambda plan: plan.seconds)

    def _plans(self, tiles_px: Sequence[int], keeps: Sequence[bool], whole: bool | None) -> Iterator[Plan]:
        canvas, multiple = self.scene.canvas, self.generator.config.multiple
        all_of_it = max(canvas.height, canvas.width)
        one_tile = round_up(all_of_it, multiple if all_of_it < CHUNK_PX else max(multiple, CHUNK_PX))
        if whole is not False:
            yield self._plan(plan_grid(self.generator, canvas, one_tile), keep=True)
        if whole:
            return
        for side in sorted({min(side, one_tile) for side in tiles_px}):
            for keep in keeps:
                yield self._plan(plan_grid(self.generator, canvas, side), keep=keep)

    def _plan(self, grid: TileGrid, *, keep: bool) -> Plan:
        config, k = self.generator.config, len(self.scene.memory.templates)
        tiles = len(measured_tiles(len(grid), self.task.statistics))
        read = area(grid[0].read)
        passing = ceil(read * self.probe.peak_bytes)
        kept = max(bytes_kept(config, net, k, read, self.task.precision) for net in self.generator.nets)
        wanted = kept * ceil(tiles / self.num_workers) if keep and len(grid) > 1 else 0
        room = max(min(wanted, self.memory_bytes - passing), 0)
        share = room / wanted if wanted else float(keep)
        flops, seconds = 0, 0.0
        for net in self.generator.nets:
            measuring, painting = self._flops(net, grid, keep=keep, share_kept=share)
            speed = self.probe.flops_per_s[net]
            flops += tiles * measuring + len(grid) * painting
            rounds = ceil(tiles / self.num_workers), ceil(len(grid) / self.num_workers)
            seconds += (rounds[0] * measuring + rounds[1] * painting) / speed
        seconds += ceil(len(grid) / self.num_workers) * area(grid[0].core) * self.probe.store_seconds
        return Plan(grid, keep, UNLIMITED if keep and len(grid) == 1 else room, passing + room, flops, seconds)

    def _flops(self, net: Net, grid: TileGrid, *, keep: bool, share_kept: float) -> tuple[int, int]:
        """Of one tile: for all its sweeps, and for its painting."""
        cost, read, sweeps = self._cost, grid[0].read, self.task.sweeps[net]
        whole = cost.flops(net, read.height, read.width)
        measured = self.task.statistics != "frozen"
        if keep:
            again = sum(cost.flops(net, read.height, read.width, number) for number in range(sweeps))
            anew = (1 - share_kept) * (again + whole) + share_kept * whole
            return (int(anew - whole) if measured else 0), whole
        boxes = [sweep_grid(self.generator, grid, net, number)[0].read for number in range(sweeps)]
        return sum(cost.flops(net, box.height, box.width, n) for n, box in enumerate(boxes)) * measured, whole


def require_a_tile(generator: Generator, scene: Scene, precision: Precision, core_px: int, memory_bytes: int) -> None:
    """Refuse, before any worker is asked for, a memory that not even holds a tile between two of its norms.

    Args:
        generator: of the poster.
        scene: its canvas and templates.
        precision: of the arithmetic.
        core_px: side of the smallest tile that may be chosen.
        memory_bytes: that a worker may use.

    Raises:
        ValueError: if it is too little; more than that is known only when a worker has tried.
    """
    read, k = plan_grid(generator, scene.canvas, core_px)[0].read, len(scene.memory.templates)
    least = max(bytes_kept(generator.config, net, k, area(read), precision) for net in generator.nets)
    require(
        least <= memory_bytes,
        f"{gigabytes(least)} or more of memory for a tile of {read.width} x {read.height} px as it is read",
        gigabytes(memory_bytes),
        f"{SMALLER} or another --mode, or raise --memory-gb",
    )


def plan_lines(task: PosterTask, plan: Plan, probe: Probe, num_workers: int) -> list[str]:
    """A plan, for people."""
    canvas, grid, read = task.scene.canvas, plan.grid, plan.grid[0].read
    tiles = len(measured_tiles(len(grid), task.statistics))
    ways = {
        "exact": "one pass over the whole canvas" if plan.is_whole else f"each over all {tiles} tiles",
        "preview": f"each over {tiles} tiles only: approximate",
        "frozen": "none: taken from another poster",
    }
    again = sum(area(grid[0].read) for net in task.sweeps if net == "refiner") * len(grid) * 12
    stored = stored_bytes(task, probe)
    kept = sum(size for name, size in stored.items() if name != UNREFINED)
    return [
        f"  canvas   {canvas.width} x {canvas.height} px: a bleed of {canvas.bleed_before} px before the poster",
        f"  tiles    {grid.columns} x {grid.rows} = {len(grid)} of {grid.core_px} px, each read {read.width} x "
        f"{read.height} px (halo {grid.halo.before} and {grid.halo.behind})",
        "  sweeps   " + ", ".join(f"{n} for the {net}" for net, n in task.sweeps.items()) + " network, "
        f"{ways[task.statistics]}" + (", kept in memory between sweeps" if plan.keep and not plan.is_whole else ""),
        f"  work     {plan.flops:.3g} floating-point operations in {task.precision} on {num_workers} x {probe.device}: "
        f"about {duration(plan.seconds)}",
        f"  memory   {gigabytes(plan.held_bytes)} of each worker at most",
        f"  store    about {gigabytes(kept)}, and {gigabytes(stored.get(UNREFINED, 0))} until the refiner is done; "
        f"{gigabytes(again)} read again for each of its passes{' that is not kept' * plan.keep}",
    ]


def stored_bytes(task: PosterTask, probe: Probe) -> dict[str, int]:
    """What each layer will take in the store, halvings included, in bytes."""
    canvas, sizes = task.scene.canvas, {}
    painted = len(task.store.done("output")) == len(task.grid)
    for name, per_px in probe.stored_bytes.items():
        if name == UNREFINED and painted:
            continue
        sizes[name] = int(area(canvas.box) * per_px * (1 if name == UNREFINED else PYRAMID))
    return sizes


def require_room(url: str, stored: int, files: Mapping[str, int]) -> None:
    """Refuse a poster that will not fit on the disk; of other storage there is no telling, but files for it pass
    through a temporary one on this machine.

    Args:
        url: of the poster's folder.
        stored: size of its store, in bytes.
        files: names and sizes of what is written beside it.

    Raises:
        ValueError: if the poster needs more than is free.
    """
    fs, path = url_to_fs(url)
    if "file" in fs.protocol:
        folder, needed = Path(path), int(MARGIN * (stored + sum(files.values())))
        needed -= sum(found.stat().st_size for found in folder.rglob("*") if found.is_file())
    else:
        folder = Path(tempfile.gettempdir())
        needed = max((size for name, size in files.items() if not name.endswith("/")), default=0)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    require(
        needed <= free,
        f"{gigabytes(needed)} of free disk in {folder} for {url}",
        gigabytes(free),
        "make room, choose another --out, or fewer layers and formats",
    )


def area(box: Box) -> int:
    """In pixels."""
    return prod((box.height, box.width))


def duration(seconds: float) -> str:
    """A time for people."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def gigabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e9:.3g} GB" if size >= 1e8 else f"{size / 1e6:.3g} MB"
