"""A worker that paints tiles: an actor's class, and the functions that run with a worker's resources."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import ray
import torch
from numpy import ndarray

from magic.geometry import Tile
from magic.networks.cost import bytes_kept
from magic.networks.generator import Collage, Net
from magic.networks.norm import Moments, SuspendedPass
from magic.networks.packed import unpack_generator
from magic.pixels import to_uint8
from magic.scene.renderer import TileRenderer
from pipelines.painting.poster_task import PosterTask
from pipelines.posters.layers import UNREFINED

Result = TypeVar("Result")


class Measurement(NamedTuple):
    """One tile's part in a statistic."""

    moments: Moments
    kept: bool
    """Whether the worker keeps the tile's forward pass, and can go on from there."""


class TileWorker:
    """Loads the model once; then measures and renders the tiles it is told.

    It takes two tasks at a time: while one tile is computed, the one before is written, or the collage under the next
    one is read.
    """

    def __init__(self, task: PosterTask) -> None:
        self.task = task
        self.renderer = local_renderer(task)
        self.generator = self.renderer.generator
        self._computing = Lock()
        self._kept: dict[tuple[Net, int], SuspendedPass] = {}
        self._room_bytes = task.keep_bytes

    def ready(self) -> int:
        """The process id, once the model is loaded."""
        return os.getpid()

    def measure(self, net: Net, number: int, statistics: Sequence[Moments]) -> Measurement:
        """One tile's part in the statistic that follows the given ones."""
        tile = self.task.measured_tile(self.generator, net, len(statistics), number)
        collage = None if (net, number) in self._kept else self._read_collage(net, tile)
        with self._computing:
            suspended = self._resume(net, number, tile, collage)
            moments = self.renderer.measure(suspended, tile, statistics)
            return Measurement(moments, self._keep(net, number, suspended))

    def render(
        self, net: Net, number: int, statistics: Sequence[Moments], missing: Mapping[str, Collection[int]]
    ) -> None:
        """Write one tile of what a network computes, to those of its layers that miss it."""
        tile = self.task.grid[number]
        collage = self._read_collage(net, tile)
        with self._computing:
            suspended = self._resume(net, number, tile, collage)
            layers = finish(self.renderer, self.task, suspended, tile, statistics, collage)
        for name, pixels in layers.items():
            if number in missing[name]:
                self.task.store.write(name, tile.core, pixels)

    def _read_collage(self, net: Net, tile: Tile) -> ndarray | None:
        """What the refiner sees of the store; the mixing network sees nothing of it."""
        return self.task.store.read_canvas(UNREFINED, tile.read) if net == "refiner" else None

    def _resume(self, net: Net, number: int, tile: Tile, collage: ndarray | None) -> SuspendedPass:
        """A tile's forward pass where it was suspended, or a new one."""
        suspended = self._kept.pop((net, number), None)
        if suspended is not None:
            self._room_bytes += self._bytes_kept(net)
            return suspended
        if any(kept != net for kept, _ in self._kept):  # other workers finished those tiles of the network before
            self._kept.clear()
            self._room_bytes = self.task.keep_bytes
        return self.renderer.start(net, tile.read, collage)

    def _keep(self, net: Net, number: int, suspended: SuspendedPass) -> bool:
        fits = self.task.keep and self._bytes_kept(net) <= self._room_bytes
        if fits:
            self._kept[net, number] = suspended
            self._room_bytes -= self._bytes_kept(net)
        return fits

    def _bytes_kept(self, net: Net) -> int:
        read, k = self.task.grid[0].read, len(self.task.scene.memory.templates)
        return bytes_kept(self.generator.config, net, k, read.height * read.width, self.task.precision)


def local_renderer(task: PosterTask) -> TileRenderer:
    """The task's renderer in a worker's process, on the GPU that Ray gave it, if any."""
    torch.set_num_threads(task.threads)
    device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
    return TileRenderer(unpack_generator(task.generator), task.scene, device, task.precision)


def run_on_worker(function: Callable[..., Result], task: PosterTask, *args: Any, gpus_per_worker: float) -> Result:
    """Call a function of a task in a process with the resources of a worker; waits until the cluster has room for it.

    Args:
        function: takes the task and the further arguments.
        task: the poster.
        args: further arguments.
        gpus_per_worker: GPUs that a worker has, 0 for none.
    """
    ends = int(gpus_per_worker > 0)  # a process that ends frees its GPU's memory
    remote = ray.remote(num_cpus=task.threads, num_gpus=gpus_per_worker, max_calls=ends)(function)
    return ray.get(remote.remote(task, *args))  # type: ignore[no-any-return]


def finish(
    renderer: TileRenderer,
    task: PosterTask,
    suspended: SuspendedPass,
    tile: Tile,
    statistics: Sequence[Moments],
    collage: ndarray | None,
) -> dict[str, ndarray]:
    """Finish a tile's forward pass: what it adds to each layer, in the order in which it is written.

    Args:
        renderer: of the poster.
        task: the poster.
        suspended: the forward pass, over tile.read.
        tile: which tile.
        statistics: all of the network's statistics.
        collage: I_M over tile.read, for the refiner; None for the mixing network.
    """
    if collage is None:
        return layers_of(renderer.mix(suspended, tile, statistics), task)
    return {"output": to_uint8(renderer.refine(suspended, tile, statistics, collage)).cpu().numpy()}


def layers_of(collage: Collage, task: PosterTask) -> dict[str, ndarray]:
    """What a tile of the mixing network adds to each layer, in the order in which it is written."""
    weights = collage.weights[0]
    layers = {"labels": weights.argmax(0, keepdim=True).to(torch.uint16).cpu().numpy()}
    if task.store.top:
        top = weights.topk(task.store.top, 0)
        layers["top_labels"] = top.indices.to(torch.uint16).cpu().numpy()
        layers["top_weights"] = (top.values * 255).round().to(torch.uint8).cpu().numpy()
    layers["collage"] = to_uint8(collage.collage[0]).cpu().numpy()
    if task.is_refined:
        return layers | {UNREFINED: collage.collage[0].float().cpu().numpy()}
    return layers | {"output": to_uint8(collage.image[0]).cpu().numpy()}
