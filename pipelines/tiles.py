"""Paint a poster: sweeps for the statistics and renders for the pixels, tile by tile on a pool of workers."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import ray
import torch
from tqdm import tqdm

from magic.batch import to_uint8
from magic.checkpoint import Packed, unpack_generator
from magic.generator import Net
from magic.norm import Moments
from magic.render import Scene, TileRenderer
from magic.sheets import weights_in_colour
from magic.tiles import TileGrid
from pipelines.pool import WorkerPool
from pipelines.poster import PosterStore

SAVE_EVERY_S = 10.0
PRODUCT: dict[Net, str] = {"mixing": "collage", "refiner": "output"}


@dataclass(frozen=True, slots=True)
class PosterTask:
    """Everything a worker needs to paint any tile."""

    generator: Packed
    sweeps: dict[Net, int]
    """The networks in their order, and how many statistics each needs."""
    scene: Scene
    grid: TileGrid
    store: PosterStore
    with_weights: bool
    threads: int


class TileWorker:
    """Loads the model once; then measures and renders the tiles it is told."""

    def __init__(self, task: PosterTask) -> None:
        torch.set_num_threads(task.threads)
        device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
        self.task = task
        self.renderer = TileRenderer(unpack_generator(task.generator), task.scene, device)

    def ready(self) -> int:
        """The process id, once the model is loaded."""
        return os.getpid()

    def measure(self, net: Net, number: int, statistics: Sequence[Moments]) -> Moments:
        """One tile's part in the statistics of the norm behind those given."""
        return self.renderer.measure(net, self.task.grid[number], statistics, self._collage(net, number))

    def render(self, net: Net, number: int, statistics: Sequence[Moments]) -> None:
        """Write one tile of what a network makes. The collage is written last: it tells that the tile is done."""
        store, tile = self.task.store, self.task.grid[number]
        if net == "refiner":
            image = self.renderer.refine(tile, statistics, self._collage(net, number))
            store.write("output", tile.core, to_uint8(image).cpu().numpy())
            return
        made = self.renderer.mix(tile, statistics)
        if self.task.with_weights:
            store.write("weights", tile.core, weights_in_colour(made.weights[0].cpu().numpy()))
        if "refiner" not in self.task.sweeps:
            store.write("output", tile.core, to_uint8(made.image[0]).cpu().numpy())
        store.write("collage", tile.core, made.collage[0].cpu().numpy())

    def _collage(self, net: Net, number: int) -> Any:
        return self.task.store.read("collage", self.task.grid[number].read) if net == "refiner" else None


def paint(task: PosterTask, *, num_workers: int, use_gpu: bool) -> dict[Net, list[Moments]]:
    """Do all that is not done yet of a poster; returns the statistics of all norms.

    Raises:
        RuntimeError: if tiles keep failing; everything else is kept.
    """
    sweeps, tiles, store = task.sweeps, len(task.grid), task.store
    shared = ray.put(task)
    actor = ray.remote(num_cpus=task.threads, num_gpus=int(use_gpu), max_restarts=0)(TileWorker)
    everything = (sum(sweeps.values()) + len(sweeps)) * tiles
    statistics: dict[Net, list[Moments]] = {net: [] for net in sweeps}
    with (
        closing(WorkerPool(lambda: actor.remote(shared), min(num_workers, tiles))) as pool,
        tqdm(total=everything, unit="tile", desc="painting") as bar,
    ):
        for net in sweeps:
            for number in range(sweeps[net]):
                bar.set_description(f"{net} statistics {number + 1}/{sweeps[net]}")
                statistics[net].append(_sweep(pool, store, net, statistics[net], tiles, bar))
            bar.set_description(f"rendering the {PRODUCT[net]}")
            done = store.done(PRODUCT[net])
            bar.update(len(done))
            left = [tile for tile in range(tiles) if tile not in done]
            for _ in pool.map(_call("render", net, statistics[net]), left):
                bar.update()
    return statistics


def _sweep(
    pool: WorkerPool, store: PosterStore, net: Net, before: Sequence[Moments], num_tiles: int, bar: Any
) -> Moments:
    """Statistics of one norm over all tiles, merged in the tiles' order, whatever order they come in."""
    number = len(before)
    coverage = store.load_statistics(net, number)
    bar.update(coverage.num_tiles)
    early: dict[int, Moments] = {}
    saved_at = time.monotonic()
    try:
        for tile, moments in pool.map(_call("measure", net, before), range(coverage.num_tiles, num_tiles)):
            bar.update()
            early[tile] = moments
            while coverage.num_tiles in early:
                coverage = coverage.extended(early.pop(coverage.num_tiles))
            if coverage.moments and time.monotonic() > saved_at + SAVE_EVERY_S:
                store.save_statistics(net, number, coverage)
                saved_at = time.monotonic()
    finally:
        if coverage.moments:
            store.save_statistics(net, number, coverage)
    assert coverage.moments is not None
    assert coverage.num_tiles == num_tiles
    return coverage.moments


def _call(method: str, net: Net, statistics: Sequence[Moments]) -> Callable[[Any, int], Any]:
    shared = ray.put(list(statistics))
    return lambda actor, tile: getattr(actor, method).remote(net, tile, shared)
