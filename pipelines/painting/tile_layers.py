"""What a tile adds to each layer of a poster."""

from collections.abc import Sequence

import torch
from numpy import ndarray

from magic.geometry import Tile
from magic.networks.generator import Collage, Net, Statistics
from magic.networks.norm import Moments, SuspendedPass
from magic.pixels import to_uint8
from magic.scene.renderer import TileRenderer
from pipelines.painting.poster_task import PosterTask
from pipelines.posters.layers import UNREFINED


def paint_at_once(
    renderer: TileRenderer, task: PosterTask, tile: Tile, frozen: Statistics
) -> tuple[Statistics, dict[str, ndarray]]:
    """Paint a single tile by its own statistics, or by given ones.

    Args:
        renderer: of the poster.
        task: the poster.
        tile: which tile.
        frozen: the statistics to use; empty for the tile's own.

    Returns:
        The statistics, and what the tile adds to each layer.
    """
    statistics: Statistics = {}
    layers: dict[str, ndarray] = {}
    for net in task.num_statistics:
        collage = layers[UNREFINED] if net == "refiner" else None
        statistics[net], added = paint_net(renderer, task, tile, frozen.get(net), collage)
        layers |= added
    return statistics, layers


def paint_net(
    renderer: TileRenderer, task: PosterTask, tile: Tile, frozen: Sequence[Moments] | None, collage: ndarray | None
) -> tuple[list[Moments], dict[str, ndarray]]:
    """What one network computes of a single tile: see paint_at_once.

    Args:
        renderer: of the poster.
        task: the poster.
        tile: which tile.
        frozen: the statistics to use; None for the tile's own.
        collage: I_M over the tile, for the refiner; None for the mixing network.
    """
    net: Net = "mixing" if collage is None else "refiner"
    suspended, statistics = renderer.start(net, tile.read, collage), list(frozen or ())
    while len(statistics) < task.num_statistics[net]:
        statistics.append(renderer.measure(suspended, tile, statistics))
    return statistics, finish(renderer, task, suspended, tile, statistics, collage)


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
