"""A poster in a worker's process: how it comes there, and what is kept of its tiles."""

from collections import OrderedDict
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import ray
from numpy import ndarray

from magic.geometry import Tile
from magic.networks.cost import bytes_kept
from magic.networks.generator import Net
from magic.networks.norm import SuspendedPass
from magic.networks.packed import Packed
from magic.scene.memory import MemorySet
from magic.scene.renderer import TileRenderer
from pipelines.painting.poster_task import PosterTask, Tiling
from pipelines.posters.layers import UNREFINED
from pipelines.workers.functions import Handle


class SentPoster(NamedTuple):
    """What a task says of its poster. The large parts are fetched by a worker once."""

    model: Handle[Packed]
    task: Handle[PosterTask]
    """Without its pictures, before it was planned."""
    pictures: Mapping[int, list[Any]]
    """References to the pictures of its memory set, which other posters may share."""
    tiling: Tiling

    def fetched(self) -> PosterTask:
        """The poster, with its pictures."""
        task = self.task.fetched()
        pictures = {number: ray.get(reference[0]) for number, reference in self.pictures.items()}
        memory = MemorySet(pictures, task.scene.memory.templates)
        return replace(task, scene=replace(task.scene, memory=memory)).tiled(self.tiling)


@dataclass(frozen=True)
class LocalPoster:
    """A poster as a worker paints it."""

    task: PosterTask
    renderer: TileRenderer
    key: str
    """Tells it from other posters."""
    model: str
    """Tells its model from others."""

    def read_collage(self, net: Net, tile: Tile) -> ndarray | None:
        """What the refiner sees of the store; the mixing network sees nothing of it."""
        return self.task.store.read_canvas(UNREFINED, tile.read) if net == "refiner" else None

    def bytes_kept(self, net: Net) -> int:
        """What a suspended forward pass over one of its tiles holds."""
        task, read = self.task, self.task.grid[0].read
        k = len(task.scene.memory.templates)
        return bytes_kept(self.renderer.generator.config, net, k, read.height * read.width, task.precision)

    def write(self, tile: Tile, layers: Mapping[str, ndarray], names: Collection[str]) -> None:
        """Write a tile to some of the layers."""
        for name, pixels in layers.items():
            if name in names:
                self.task.store.write(name, tile.core, pixels)


class KeptPasses:
    """Suspended forward passes, of tiles of several posters. What was not used for longest goes first."""

    def __init__(self) -> None:
        self._passes: OrderedDict[tuple[str, Net, int], tuple[SuspendedPass, int]] = OrderedDict()
        self.size_bytes = 0

    def take(self, poster: LocalPoster, net: Net, number: int) -> SuspendedPass | None:
        """The pass of a tile, if it was kept; it is no longer kept then."""
        suspended, size_bytes = self._passes.pop((poster.key, net, number), (None, 0))
        self.size_bytes -= size_bytes
        return suspended

    def has(self, poster: LocalPoster, net: Net, number: int) -> bool:
        """Whether the pass of a tile is kept."""
        return (poster.key, net, number) in self._passes

    def keep(self, poster: LocalPoster, net: Net, number: int, suspended: SuspendedPass) -> bool:
        """Keep the pass of a tile, if there is room; returns whether it is kept."""
        if not poster.task.keep:
            return False
        size_bytes = poster.bytes_kept(net)
        self._drop_oldest(poster.task.tiling.keep_bytes - size_bytes, but=poster.key)
        if self.size_bytes + size_bytes > poster.task.tiling.keep_bytes:
            return False
        self._passes[poster.key, net, number] = suspended, size_bytes
        self.size_bytes += size_bytes
        return True

    def make_room(self, poster: LocalPoster, net: Net) -> None:
        """Before a pass of a poster is begun, let go what is of no more use and what would leave it no room."""
        stale = [key for key in self._passes if key[0] == poster.key and key[1] != net]  # others finished those tiles
        for key in stale:
            self.size_bytes -= self._passes.pop(key)[1]
        self._drop_oldest(poster.task.tiling.keep_bytes)

    def forget_all_but(self, posters: Container[str]) -> None:
        """Let go the passes of posters that are no longer at hand."""
        for key in [key for key in self._passes if key[0] not in posters]:
            self.size_bytes -= self._passes.pop(key)[1]

    def clear(self) -> None:
        """Let all go."""
        self._passes.clear()
        self.size_bytes = 0

    def _drop_oldest(self, max_bytes: int, but: str = "") -> None:
        """Let go the oldest, except those of one poster, until the others take no more than that."""
        for key in [key for key in self._passes if key[0] != but]:
            if self.size_bytes <= max_bytes:
                return
            self.size_bytes -= self._passes.pop(key)[1]
