"""What is missing of a poster: tiles of its layers, and statistics."""

from collections.abc import Mapping

from magic.networks.generator import Net
from pipelines.painting.poster_task import PosterTask
from pipelines.posters.layers import UNREFINED


def missing_tiles(task: PosterTask, net: Net) -> Mapping[str, set[int]]:
    """The tiles that each layer of a network misses.

    The layer that the refiner reads goes when a poster is painted. If one of the poster's tiles is damaged later, that
    layer misses no more than what the refiner will read for this tile.
    """
    tiles = set(range(len(task.grid)))
    missing = {name: tiles - task.store.done(name) for name in task.layers_of(net)}
    if UNREFINED in missing:
        missing[UNREFINED] &= _read_by_the_refiner(task)
    return missing


def are_measured(task: PosterTask, net: Net) -> bool:
    """Whether all statistics of a network are complete."""
    covered = (task.store.load_statistics(net, number) for number in range(task.num_statistics[net]))
    return all(each.moments is not None and each.num_tiles >= len(task.measured_tiles) for each in covered)


def is_painted(task: PosterTask) -> bool:
    """Whether nothing is missing."""
    nets = task.num_statistics
    return all(are_measured(task, net) and not any(missing_tiles(task, net).values()) for net in nets)


def _read_by_the_refiner(task: PosterTask) -> set[int]:
    """The tiles under all that the refiner has still to measure and to render."""
    readers = set().union(*missing_tiles(task, "refiner").values())
    if not are_measured(task, "refiner"):
        readers |= set(task.measured_tiles)
    return {tile for reader in readers for tile in task.grid.overlapping(task.grid[reader].read)}
