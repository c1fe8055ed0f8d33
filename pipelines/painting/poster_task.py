"""What workers are told of a poster: everything that is needed to paint any of its tiles; and what is missing of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from magic.geometry import Tile, TileGrid
from magic.hyperparameters import Precision
from magic.networks.generator import Generator, Net
from magic.scene.scene import Scene, statistics_grid
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_records import StatisticsMode
from pipelines.posters.poster_store import PosterStore

NUM_PREVIEW_TILES = 16
"""Tiles that the statistics of a preview are taken from."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a poster's canvas is painted: in which tiles, and what is kept of them."""

    grid: TileGrid
    keep: bool = False
    """Whether a worker keeps a tile's suspended forward pass from one statistics pass to the next."""
    keep_bytes: int = 0
    """Memory of each worker for what it keeps, of all posters that it paints at a time; what does not fit is computed
    anew. The poster is the same."""


@dataclass(frozen=True, slots=True)
class PosterTask:
    """A poster to paint."""

    num_statistics: dict[Net, int]
    """The networks in their order, and how many statistics over the whole canvas each needs."""
    scene: Scene
    tiling: Tiling
    store: PosterStore
    threads: int
    """CPU threads of each worker."""
    precision: Precision = "fp32"
    statistics: StatisticsMode = "exact"

    def tiled(self, tiling: Tiling) -> "PosterTask":
        """The same poster, painted in other tiles."""
        return replace(self, tiling=tiling, store=replace(self.store, grid=tiling.grid))

    @property
    def grid(self) -> TileGrid:
        """Its tiles."""
        return self.tiling.grid

    @property
    def keep(self) -> bool:
        """See Tiling."""
        return self.tiling.keep

    @property
    def is_whole(self) -> bool:
        """Whether the canvas is one tile, and so painted in a single pass."""
        return len(self.grid) == 1

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
    if statistics in ("exact", "group") or num_tiles <= NUM_PREVIEW_TILES:
        return range(num_tiles)
    return [(2 * i + 1) * num_tiles // (2 * NUM_PREVIEW_TILES) for i in range(NUM_PREVIEW_TILES)]


def num_covered(tasks: Iterable[PosterTask]) -> int:
    """How many tiles each statistic covers of a poster, or of all posters of a group."""
    return sum(len(task.measured_tiles) for task in tasks)


def are_painted(tasks: Sequence[PosterTask]) -> bool:
    """Whether nothing is missing of a poster, or of the posters of a group."""
    covered = num_covered(tasks)
    return all(
        _are_measured(task, net, covered) and not any(missing_tiles(task, net, covered).values())
        for task in tasks
        for net in task.num_statistics
    )


def missing_tiles(task: PosterTask, net: Net, covered: int) -> Mapping[str, set[int]]:
    """The tiles that each layer of a network misses.

    The layer that the refiner reads goes when a poster is painted. If one of the poster's tiles is damaged later, that
    layer misses no more than what the refiner will read for this tile.

    Args:
        task: the poster.
        net: the network.
        covered: see num_covered.
    """
    tiles = set(range(len(task.grid)))
    missing = {name: tiles - task.store.done(name) for name in task.layers_of(net)}
    if UNREFINED in missing:
        missing[UNREFINED] &= _read_by_the_refiner(task, covered)
    return missing


def _are_measured(task: PosterTask, net: Net, covered: int) -> bool:
    """Whether all statistics of a network are complete."""
    found = (task.store.load_statistics(net, number) for number in range(task.num_statistics[net]))
    return all(each.moments is not None and each.num_tiles >= covered for each in found)


def _read_by_the_refiner(task: PosterTask, covered: int) -> set[int]:
    """The tiles under all that the refiner has still to measure and to render."""
    readers = set().union(*missing_tiles(task, "refiner", covered).values())
    if not _are_measured(task, "refiner", covered):
        readers |= set(task.measured_tiles)
    return {tile for reader in readers for tile in task.grid.overlapping(task.grid[reader].read)}
