"""A worker that paints tiles of many posters, as an actor's class."""

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import ray
import torch
from numpy import ndarray

from magic.geometry import Tile
from magic.networks.generator import Generator, Net, Statistics
from magic.networks.norm import Moments, SuspendedPass
from magic.networks.packed import Packed, unpack_generator
from magic.scene.renderer import TileRenderer
from pipelines.painting.local_poster import KeptPasses, LocalPoster, SentPoster
from pipelines.painting.tile_layers import finish, paint_at_once
from pipelines.workers.crew import WorkerKind
from pipelines.workers.functions import FunctionWorker, Handle, Held

Result = TypeVar("Result")
MAX_POSTERS, MAX_MODEL_BYTES = 16, 4e9
"""What a worker has at hand of posters and models: those that it used last."""


class Measurement(NamedTuple):
    """One tile's part in a statistic."""

    moments: Moments
    kept: bool
    """Whether the worker keeps the tile's forward pass, and can go on from there."""


class TileWorker(FunctionWorker):
    """Measures and renders the tiles it is told, of any poster and model; holds those that it used last.

    It takes two tasks at a time: while one tile is computed, the one before is written, or the collage under the next
    one is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
        self._num_loads = 0
        self._models = Held[Generator](max_bytes=MAX_MODEL_BYTES, size_of=weight_bytes)
        self._posters = Held[LocalPoster](MAX_POSTERS)
        self._kept = KeptPasses()
        self._computing = Lock()

    def num_loads(self) -> int:
        """How often it has loaded a model."""
        return self._num_loads

    def call(self, function: Callable[..., Result], sent: SentPoster, *args: Any) -> Result:
        """Call a function of a poster's task and renderer, and of further arguments."""
        poster = self._poster(sent)
        with self._computing:
            torch.set_num_threads(poster.task.threads)
            self._kept.clear()
            return function(poster.task, poster.renderer, *args)

    def paint(self, sent: SentPoster, missing: Collection[str], frozen: Statistics) -> Statistics:
        """Paint a poster of one tile, and write the layers that are missing; returns all its statistics."""
        poster = self._poster(sent)
        (tile,) = poster.task.grid
        with self._computing:
            torch.set_num_threads(poster.task.threads)
            self._kept.forget_all_but(self._posters)
            self._kept.make_room(poster, "mixing")
            statistics, layers = paint_at_once(poster.renderer, poster.task, tile, frozen)
        poster.write(tile, layers, missing)
        return statistics

    def measure(self, sent: SentPoster, net: Net, number: int, statistics: Sequence[Moments]) -> Measurement:
        """One tile's part in the statistic that follows the given ones."""
        poster = self._poster(sent)
        tile = poster.task.measured_tile(poster.renderer.generator, net, len(statistics), number)
        collage = None if self._kept.has(poster, net, number) else poster.read_collage(net, tile)
        with self._computing:
            suspended = self._resume(poster, net, number, tile, collage)
            moments = poster.renderer.measure(suspended, tile, statistics)
            return Measurement(moments, self._kept.keep(poster, net, number, suspended))

    def render(
        self,
        sent: SentPoster,
        net: Net,
        number: int,
        statistics: Sequence[Moments],
        missing: Mapping[str, Collection[int]],
    ) -> None:
        """Write one tile of what a network computes, to those of its layers that miss it."""
        poster = self._poster(sent)
        tile = poster.task.grid[number]
        collage = poster.read_collage(net, tile)
        with self._computing:
            suspended = self._resume(poster, net, number, tile, collage)
            layers = finish(poster.renderer, poster.task, suspended, tile, statistics, collage)
        poster.write(tile, layers, [name for name in layers if number in missing[name]])

    def _poster(self, sent: SentPoster) -> LocalPoster:
        """The poster of a task, with its model."""

        def make() -> LocalPoster:
            task, model = sent.fetched(), sent.model.key
            generator = self._models.get(model, lambda: self._load(sent.model))
            self._posters.drop(lambda poster: poster.model not in self._models)
            renderer = TileRenderer(generator, task.scene, self.device, task.precision)
            return LocalPoster(task, renderer, key, model)

        key = f"{sent.task.key} {sent.tiling}"
        return self._posters.get(key, make)

    def _load(self, model: Handle[Packed]) -> Generator:
        self._num_loads += 1
        return unpack_generator(model.fetched()).to(self.device)

    def _resume(self, poster: LocalPoster, net: Net, number: int, tile: Tile, collage: ndarray | None) -> SuspendedPass:
        """A tile's forward pass where it was suspended, or a new one."""
        torch.set_num_threads(poster.task.threads)
        self._kept.forget_all_but(self._posters)
        suspended = self._kept.take(poster, net, number)
        self._kept.make_room(poster, net)
        if suspended is None:
            if collage is None:  # the pass was kept when the task began, and had to go since
                collage = poster.read_collage(net, tile)
            suspended = poster.renderer.start(net, tile.read, collage)
        return suspended


def tile_workers(num_workers: int, *, threads: int, gpus_per_worker: float) -> WorkerKind:
    """Workers that paint tiles.

    Args:
        num_workers: processes.
        threads: CPUs of each.
        gpus_per_worker: GPUs that each has, 0 for none; 0.25 lets four of them share one.
    """
    actor = ray.remote(num_cpus=threads, num_gpus=gpus_per_worker, max_restarts=0, max_concurrency=2)(TileWorker)
    return WorkerKind(actor.remote, num_workers)


def weight_bytes(generator: Generator) -> int:
    """What a generator's weights take."""
    return sum(parameter.nbytes for parameter in generator.parameters())
