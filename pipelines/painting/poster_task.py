"""What workers are told of a poster: everything that is needed to paint any of its tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

from magic.geometry import Tile, TileGrid
from magic.hyperparameters import Precision
from magic.networks.generator import Generator, Net
from magic.networks.packed import Packed
from magic.scene.scene import Scene, statistics_grid
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_records import StatisticsMode
from pipelines.posters.poster_store import PosterStore

NUM_PREVIEW_TILES = 16
"""Tiles that the statistics of a preview are taken from."""


@dataclass(frozen=True, slots=True)
class PosterTask:
    """A poster to paint."""

    generator: Packed
    num_statistics: dict[Net, int]
    """The networks in their order, and how many statistics over the whole canvas each needs."""
    scene: Scene
    grid: TileGrid
    store: PosterStore
    threads: int
    """CPU threads of each worker."""
    precision: Precision = "fp32"
    keep: bool = False
    """Whether a worker keeps a tile's suspended forward pass from one statistics pass to the next."""
    keep_bytes: int = 0
    """Memory of each worker for what it keeps; what does not fit is computed anew. The poster is the same."""
    statistics: StatisticsMode = "exact"

    @property
    def measured_tiles(self) -> Sequence[int]:
        """The tiles that statistics are taken from."""
        return measured_tiles(len(self.grid), self.statistics)

    @property
    def is_refined(self) -> bool:
        """Whether a refiner follows the mixing network."""
        return "refiner" in self.num_statistics

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that workers write."""
        return tuple(layer for net in self.num_statistics for layer in self.layers_of(net))

    def layers_of(self, net: Net) -> tuple[str, ...]:
        """The layers that a network paints, in the order in which they are written."""
        if net == "refiner":
            return ("output",)
        top = ("top_labels", "top_weights") if self.store.top else ()
        return ("labels", *top, "collage", UNREFINED if self.is_refined else "output")

    def measured_tile(self, generator: Generator, net: Net, statistic: int, number: int) -> Tile:
        """A tile as it is read to measure a statistic.

        Without keeping, a statistic of an early norm reads less around the tile. A tile that is kept is read as it will
        be for its rendering. So the shapes of boxes are the same whether a tile is really kept or not.
        """
        grid = self.grid if self.keep else statistics_grid(generator, self.grid, net, statistic)
        return grid[number]


def measured_tiles(num_tiles: int, statistics: StatisticsMode) -> Sequence[int]:
    """Numbers of the tiles that statistics are taken from."""
    if statistics == "frozen":
        return ()
    if statistics == "exact" or num_tiles <= NUM_PREVIEW_TILES:
        return range(num_tiles)
    return [(2 * i + 1) * num_tiles // (2 * NUM_PREVIEW_TILES) for i in range(NUM_PREVIEW_TILES)]
