"""Paint a poster: sweeps for the statistics and renders for the pixels, tile by tile on a pool of workers."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeVar

import ray
import torch
from numpy import ndarray
from tqdm import tqdm

from magic.geometry import Tile, TileGrid
from magic.hyperparameters import Precision
from magic.networks.generator import Collage, Generator, Net, Statistics
from magic.networks.norm import Moments, Pass
from magic.networks.packed import Packed, unpack_generator
from magic.pixels import to_uint8
from magic.scene.cost import bytes_kept
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, sweep_grid
from pipelines.store.poster_store import UNREFINED, Coverage, PosterStore
from pipelines.workers.pool import WorkerPool

SAVE_EVERY_S = 10.0
PREVIEW_TILES = 16
Result = TypeVar("Result")
Taking = Literal["exact", "preview", "frozen"]
"""Of statistics: from all tiles; from a few of them, for a quick and approximate look; or from another poster."""


@dataclass(frozen=True, slots=True)
class PosterTask:
    """Everything a worker needs to paint any tile."""

    generator: Packed
    sweeps: dict[Net, int]
    """The networks in their order, and how many statistics each needs."""
    scene: Scene
    grid: TileGrid
    store: PosterStore
    threads: int
    precision: Precision = "fp32"
    keep: bool = False
    """Whether a worker keeps what it computed of a tile from one sweep to the next, as far as keep_bytes goes."""
    keep_bytes: int = 0
    """Of each worker. The poster does not depend on it."""
    statistics: Taking = "exact"

    @property
    def measured(self) -> Sequence[int]:
        """The tiles that statistics are taken from."""
        return measured_tiles(len(self.grid), self.statistics)

    @property
    def refined(self) -> bool:
        """Whether a refiner follows the mixing network."""
        return "refiner" in self.sweeps

    @property
    def layers(self) -> tuple[str, ...]:
        """What workers write; the last one of each network tells that its tile is done."""
        top = ("top_labels", "top_weights") if self.store.top else ()
        return ("labels", *top, "collage", *((UNREFINED,) if self.refined else ()), "output")

    def product(self, net: Net) -> str:
        """The layer that a network writes last."""
        return UNREFINED if net == "mixing" and self.refined else "output"

    def tile(self, generator: Generator, net: Net, statistic: int, number: int) -> Tile:
        """A tile as it is read to measure a statistic; for a rendering, the statistic behind the last.

        Box shapes are constant within a sweep, and the same whether a tile was kept or not.
        """
        grid = self.grid if self.keep else sweep_grid(generator, self.grid, net, statistic)
        return grid[number]


def measured_tiles(num_tiles: int, statistics: Taking) -> Sequence[int]:
    """Which of so many tiles statistics are taken from."""
    if statistics == "frozen":
        return ()
    if statistics == "exact" or num_tiles <= PREVIEW_TILES:
        return range(num_tiles)
    return [(2 * i + 1) * num_tiles // (2 * PREVIEW_TILES) for i in range(PREVIEW_TILES)]


class Measured(NamedTuple):
    """One tile's part in a statistic."""

    moments: Moments
    kept: bool
    """Whether the worker can go on with the tile from here."""


class TileWorker:
    """Loads the model once; then measures and renders the tiles it is told.

    It is at two tasks at a time: while one tile is painted, the one before is written, or the next one's collage read.
    """

    def __init__(self, task: PosterTask) -> None:
        self.task = task
        self.renderer = renderer_here(task)
        self.generator = self.renderer.generator
        self._painting = Lock()
        self._kept: dict[tuple[Net, int], Pass] = {}
        self._room = task.keep_bytes

    def ready(self) -> int:
        """The process id, once the model is loaded."""
        return os.getpid()

    def measure(self, net: Net, number: int, statistics: Sequence[Moments]) -> Measured:
        """One tile's part in the statistics of the norm behind those given."""
        tile = self.task.tile(self.generator, net, len(statistics), number)
        collage = None if (net, number) in self._kept else self._read(net, tile)
        with self._painting:
            begun = self._begin(net, number, tile, collage)
            moments = self.renderer.measure(begun, tile, statistics)
            return Measured(moments, self._keep(net, number, begun))

    def render(self, net: Net, number: int, statistics: Sequence[Moments]) -> None:
        """Write one tile of what a network makes."""
        tile = self.task.grid[number]
        collage = self._read(net, tile)
        with self._painting:
            layers = self._paint(self._begin(net, number, tile, collage), tile, statistics, collage)
        for name, pixels in layers.items():
            self.task.store.write(name, tile.core, pixels)

    def _paint(
        self, begun: Pass, tile: Tile, statistics: Sequence[Moments], collage: ndarray | None
    ) -> dict[str, ndarray]:
        """What a tile adds to each layer, in the order in which it is written."""
        if collage is None:
            return layers_of(self.renderer.mix(begun, tile, statistics), self.task)
        return {"output": to_uint8(self.renderer.refine(begun, tile, statistics, collage)).cpu().numpy()}

    def _read(self, net: Net, tile: Tile) -> ndarray | None:
        """What a network sees of the store: the refiner the collage."""
        return self.task.store.read_canvas(UNREFINED, tile.read) if net == "refiner" else None

    def _begin(self, net: Net, number: int, tile: Tile, collage: ndarray | None) -> Pass:
        """A tile's pass where it was left, or a new one."""
        begun = self._kept.pop((net, number), None)
        if begun is not None:
            self._room += self._size(net)
            return begun
        if any(kept != net for kept, _ in self._kept):  # what is left of the other network was finished elsewhere
            self._kept.clear()
            self._room = self.task.keep_bytes
        return self.renderer.start(net, tile.read, collage)

    def _keep(self, net: Net, number: int, begun: Pass) -> bool:
        fits = self.task.keep and self._size(net) <= self._room
        if fits:
            self._kept[net, number] = begun
            self._room -= self._size(net)
        return fits

    def _size(self, net: Net) -> int:
        read, k = self.task.grid[0].read, len(self.task.scene.memory.templates)
        return bytes_kept(self.generator.config, net, k, read.height * read.width, self.task.precision)


def renderer_here(task: PosterTask) -> TileRenderer:
    """The task's renderer in a worker's process, on the GPU that Ray gave it, if any."""
    torch.set_num_threads(task.threads)
    device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
    return TileRenderer(unpack_generator(task.generator), task.scene, device, task.precision)


def on_a_worker(function: Callable[..., Result], task: PosterTask, *args: Any, gpus_per_worker: float) -> Result:
    """Call a function of a task with the resources of one who paints it; waits for the cluster's room."""
    ends = int(gpus_per_worker > 0)  # with its process, the GPU's memory is free again
    remote = ray.remote(num_cpus=task.threads, num_gpus=gpus_per_worker, max_calls=ends)(function)
    return ray.get(remote.remote(task, *args))  # type: ignore[no-any-return]


def layers_of(made: Collage, task: PosterTask) -> dict[str, ndarray]:
    """What the mixing network's tile adds to each layer, in the order in which it is written."""
    weights = made.weights[0]
    layers = {"labels": weights.argmax(0, keepdim=True).to(torch.uint16).cpu().numpy()}
    if task.store.top:
        top = weights.topk(task.store.top, 0)
        layers["top_labels"] = top.indices.to(torch.uint16).cpu().numpy()
        layers["top_weights"] = (top.values * 255).round().to(torch.uint8).cpu().numpy()
    layers["collage"] = to_uint8(made.collage[0]).cpu().numpy()
    if task.refined:
        return layers | {UNREFINED: made.collage[0].float().cpu().numpy()}
    return layers | {"output": to_uint8(made.image[0]).cpu().numpy()}


def paint(
    task: PosterTask, frozen: Statistics | None = None, *, num_workers: int, gpus_per_worker: float
) -> Statistics:
    """Do all that is not done yet of a poster's layers; returns the statistics of all norms.

    Args:
        task: what to paint.
        frozen: the statistics to use, where they are not the poster's own.
        num_workers: processes.
        gpus_per_worker: GPUs that each has, 0 for none; 0.25 lets four of them share one.

    Raises:
        RuntimeError: if tiles keep failing; everything else is kept.
    """
    sweeps, num_tiles, store = task.sweeps, len(task.grid), task.store
    for net, moments in (frozen or {}).items():
        for number, given in enumerate(moments):
            store.adopt_statistics(net, number, given)
    if len(store.done("output")) == num_tiles:
        store.drop(UNREFINED)
        return {net: [_complete(store.load_statistics(net, i)) for i in range(sweeps[net])] for net in sweeps}
    measured = task.measured
    everything = sum(sweeps.values()) * len(measured) + len(sweeps) * num_tiles
    statistics: Statistics = {net: [] for net in sweeps}
    with closing(_pool(task, num_workers, gpus_per_worker)) as pool, tqdm(total=everything, unit="tile") as bar:
        for net in sweeps:
            homes: dict[int, Any] = {}
            for number in range(sweeps[net]):
                bar.set_description(f"{net} statistics {number + 1}/{sweeps[net]}")
                statistics[net].append(_Sweep(pool, store, net, measured, bar).run(statistics[net], homes))
            bar.set_description(f"rendering: {net}")
            done = store.done(task.product(net))
            bar.update(len(done))
            left = [tile for tile in range(num_tiles) if tile not in done]
            for _ in pool.map(_call("render", net, statistics[net]), left, homes):
                bar.update()
    store.drop(UNREFINED)
    return statistics


class _Sweep:
    """Statistics of one norm, merged in the tiles' order, whatever order they come in."""

    def __init__(self, pool: WorkerPool, store: PosterStore, net: Net, measured: Sequence[int], bar: Any) -> None:
        self.pool, self.store, self.net, self.measured, self.bar = pool, store, net, measured, bar

    def run(self, before: Sequence[Moments], homes: dict[int, Any]) -> Moments:
        """The moments of the norm behind those given; takes up what was saved of them."""
        number = len(before)
        coverage = self.store.load_statistics(self.net, number)
        self.bar.update(coverage.num_tiles)
        early: dict[int, Moments] = {}
        saved_at = time.monotonic()
        try:
            left = self.measured[coverage.num_tiles :]
            for tile, result in self.pool.map(_call("measure", self.net, before), left, homes):
                self.bar.update()
                if not result.kept:
                    homes.pop(tile, None)
                early[tile] = replace(result.moments, mean=result.moments.mean.copy(), m2=result.moments.m2.copy())
                while coverage.num_tiles < len(self.measured) and self.measured[coverage.num_tiles] in early:
                    coverage = coverage.extended(early.pop(self.measured[coverage.num_tiles]))
                if coverage.moments and time.monotonic() > saved_at + SAVE_EVERY_S:
                    self.store.save_statistics(self.net, number, coverage)
                    saved_at = time.monotonic()
        finally:
            if coverage.moments:
                self.store.save_statistics(self.net, number, coverage)
        assert coverage.num_tiles == len(self.measured)
        return _complete(coverage)


def _complete(coverage: Coverage) -> Moments:
    assert coverage.moments is not None, "statistics of a painted poster are missing"
    return coverage.moments


def _pool(task: PosterTask, num_workers: int, gpus_per_worker: float) -> WorkerPool:
    shared = ray.put(task)
    actor = ray.remote(num_cpus=task.threads, num_gpus=gpus_per_worker, max_restarts=0, max_concurrency=2)(TileWorker)
    return WorkerPool(lambda: actor.remote(shared), min(num_workers, len(task.grid)))


def _call(method: str, net: Net, statistics: Sequence[Moments]) -> Callable[[Any, int], Any]:
    shared = ray.put(list(statistics))
    return lambda actor, tile: getattr(actor, method).remote(net, tile, shared)
