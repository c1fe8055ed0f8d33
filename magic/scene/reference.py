"""A canvas in tiles within one process, or any part of it from given statistics: to be held against one pass."""

from collections.abc import Container
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Integer
from numpy import ndarray
from torch import Tensor

from magic.geometry import Box, Halo, Tile, TileGrid
from magic.networks.generator import Collage, Generator, Net, Statistics
from magic.networks.norm import Pass
from magic.pixels import LEVEL
from magic.scene.renderer import TileRenderer
from magic.scene.scene import sweep_grid


class Shown(NamedTuple):
    """What was painted of a part of the canvas."""

    output: Float32[ndarray, "3 h w"]
    """I, in [-1, 1]."""
    collage: Float32[ndarray, "3 h w"]
    """I_M, in [-1, 1]."""
    labels: Integer[ndarray, "h w"]
    """argmax A."""

    def part(self, box: Box) -> "Shown":
        """What lies in a box, counted from this part's corner."""
        return Shown(*(plane[(..., *box.slices)] for plane in self))


class Difference(NamedTuple):
    """How far one painting is from another."""

    mean: float
    """Mean absolute error of I, in 8-bit levels."""
    maximum: float
    """Of I, in 8-bit levels."""
    flips: int
    """Pixels that show another template."""

    @staticmethod
    def between(one: Shown, other: Shown) -> "Difference":
        """Of two paintings of the same part."""
        error = np.abs(one.output - other.output) * LEVEL
        return Difference(float(error.mean()), float(error.max()), int((one.labels != other.labels).sum()))


def in_one_pass(renderer: TileRenderer) -> Shown:
    """The whole canvas in one forward pass."""
    made = renderer.whole()
    return Shown(_array(made.image[0]), *_collage(made))


def by_tiles(renderer: TileRenderer, grid: TileGrid, *, keep: Container[int] = ()) -> tuple[Shown, Statistics]:
    """The whole canvas by sweeps and renders over its tiles, and the statistics that were found.

    Args:
        renderer: what is painted.
        grid: the tiles.
        keep: numbers of tiles whose passes are kept from sweep to sweep. Without any, sweeps read no more than they
            need.
    """
    shape = (grid.height, grid.width)
    shown = Shown(np.empty((3, *shape), np.float32), np.empty((3, *shape), np.float32), np.empty(shape, np.int64))
    statistics: Statistics = {}
    for net in renderer.generator.nets:
        kept: dict[int, Pass] = {}
        given = statistics[net] = []

        def begun(index: int, tile: Tile, net: Net = net, kept: dict[int, Pass] = kept) -> Pass:
            return kept.pop(index, None) or renderer.start(net, tile.read, _part(shown.collage, tile.read))

        for number in range(renderer.generator.num_statistics(net)):
            total = None
            for index, tile in enumerate(grid if keep else sweep_grid(renderer.generator, grid, net, number)):
                on_its_way = begun(index, tile)
                moments = renderer.measure(on_its_way, tile, given)
                total = moments if total is None else total.merge(moments)
                if index in keep:
                    kept[index] = on_its_way
            assert total is not None
            given.append(total)
        for index, tile in enumerate(grid):
            place = (..., *tile.core.slices)
            if net == "refiner":
                seen = _part(shown.collage, tile.read)
                shown.output[place] = _array(renderer.refine(begun(index, tile), tile, given, seen))
            else:
                made = renderer.mix(begun(index, tile), tile, given)
                shown.output[place] = _array(made.image[0])
                shown.collage[place], shown.labels[place] = _collage(made)
    return shown, statistics


def region(renderer: TileRenderer, box: Box, statistics: Statistics) -> Shown:
    """Any box of the canvas, from statistics of all of it and no more pixels than it depends on."""
    core, seen, read = region_boxes(renderer.generator, renderer.scene.canvas.box, box)
    made = renderer.mix(renderer.start("mixing", read), Tile(0, 0, read, seen), statistics["mixing"])
    collage, labels = _collage(made)
    output = _array(made.image[0])
    if "refiner" in renderer.generator.nets:
        begun = renderer.start("refiner", seen, collage)
        output = _array(renderer.refine(begun, Tile(0, 0, seen, core), statistics["refiner"], collage))
    inner = core.within(seen)
    shown = Shown(output, collage[(..., *inner.slices)], labels[inner.slices])
    return shown.part(box.within(core))


def region_boxes(generator: Generator, canvas: Box, box: Box) -> tuple[Box, Box, Box]:
    """What has to be read for a box of the canvas: it to whole multiples, what its refiner sees, and all of it."""
    multiple = generator.config.multiple
    core = _around(box, Halo(0, 0), multiple, canvas)
    halos = {net: getattr(generator, net).halo.aligned(multiple) for net in generator.nets}
    seen = _around(core, halos["refiner"], multiple, canvas) if "refiner" in halos else core
    return core, seen, _around(seen, halos["mixing"], multiple, canvas)


def _around(box: Box, halo: Halo, multiple: int, canvas: Box) -> Box:
    """The box and its halo, out to multiples, as far as there is canvas."""
    first = [(start - halo.before) // multiple * multiple for start in (box.top, box.left)]
    last = [-(-(end + halo.behind) // multiple) * multiple for end in (box.bottom, box.right)]
    return Box(max(first[0], 0), max(first[1], 0), min(last[0], canvas.bottom), min(last[1], canvas.right))


def _collage(made: Collage) -> tuple[ndarray, ndarray]:
    return _array(made.collage[0]), made.weights[0].argmax(0).cpu().numpy()


def _array(planes: Tensor) -> ndarray:
    return planes.float().cpu().numpy()


def _part(planes: ndarray, box: Box) -> ndarray:
    return np.ascontiguousarray(planes[(..., *box.slices)])
