"""Reference renderers: a canvas, or a part of it, rendered within one process, for checks.

What workers paint in many processes is compared with these: the whole canvas in one forward pass, the whole canvas in
tiles, or any box of it from statistics that are given.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Integer
from numpy import ndarray
from torch import Tensor

from magic.geometry import Box, Halo, Tile, TileGrid
from magic.networks.generator import Collage, Generator, Net, Statistics
from magic.networks.norm import Moments, SuspendedPass
from magic.pixels import LEVELS_PER_UNIT
from magic.scene.renderer import TileRenderer
from magic.scene.scene import statistics_grid


class Rendering(NamedTuple):
    """What was painted on a part of the canvas."""

    output: Float32[ndarray, "3 h w"]
    """I, in [-1, 1]."""
    collage: Float32[ndarray, "3 h w"]
    """I_M, in [-1, 1]."""
    labels: Integer[ndarray, "h w"]
    """The template with the largest weight at each pixel: argmax A."""

    @staticmethod
    def empty(height: int, width: int) -> "Rendering":
        """Room for what is to be painted; the values are arbitrary."""
        shape = (height, width)
        return Rendering(np.empty((3, *shape), np.float32), np.empty((3, *shape), np.float32), np.empty(shape, int))

    def part(self, box: Box) -> "Rendering":
        """What lies in a box, which is counted from this part's top left corner."""
        return Rendering(*(plane[(..., *box.slices)] for plane in self))


class Difference(NamedTuple):
    """How far two renderings of the same part are from each other."""

    mean: float
    """Mean absolute difference of I, in 8-bit levels."""
    maximum: float
    """Largest absolute difference of I, in 8-bit levels."""
    flips: int
    """Number of pixels whose labels differ."""

    @staticmethod
    def between(one: Rendering, other: Rendering) -> "Difference":
        """Compare two renderings of the same part."""
        error = np.abs(one.output - other.output) * LEVELS_PER_UNIT
        return Difference(float(error.mean()), float(error.max()), int((one.labels != other.labels).sum()))


def render_whole(renderer: TileRenderer) -> Rendering:
    """The whole canvas in one forward pass."""
    return _rendering(renderer.whole())


def render_tiled(renderer: TileRenderer, grid: TileGrid, *, keep: Container[int] = ()) -> tuple[Rendering, Statistics]:
    """The whole canvas, tile by tile: for each network its statistics passes, and then the pixels of every tile.

    Args:
        renderer: of the scene.
        grid: the tiles of its canvas.
        keep: numbers of the tiles whose forward passes are kept from one statistics pass to the next. All others are
            computed anew each time. If no tile is kept, statistics passes use smaller read boxes (`statistics_grid`).

    Returns:
        The rendering, and the statistics that were measured.
    """
    rendering = Rendering.empty(grid.height, grid.width)
    statistics: Statistics = {}
    for net in renderer.generator.nets:
        tiled = _TiledNetwork(renderer, net, grid, keep, rendering)
        statistics[net] = tiled.measure()
        tiled.render(statistics[net])
    return rendering, statistics


@dataclass(frozen=True, slots=True)
class _TiledNetwork:
    """One network over all tiles of a canvas."""

    renderer: TileRenderer
    net: Net
    grid: TileGrid
    keep: Container[int]
    rendering: Rendering
    """Holds what the networks before this one painted; receives what this one paints."""
    suspended: dict[int, SuspendedPass] = field(default_factory=dict)
    """The forward passes that are kept, by the number of their tile."""

    def measure(self) -> list[Moments]:
        """All statistics of the network, by one statistics pass after the other."""
        statistics: list[Moments] = []
        for _ in range(self.renderer.generator.num_statistics(self.net)):
            statistics.append(self._statistics_pass(statistics))
        return statistics

    def render(self, statistics: list[Moments]) -> None:
        """Paint all tiles, given all statistics of the network."""
        for number, tile in enumerate(self.grid):
            core = (..., *tile.core.slices)
            suspended = self._resume(number, tile)
            if self.net == "refiner":
                image = self.renderer.refine(suspended, tile, statistics, self._collage(tile))
                self.rendering.output[core] = _array(image)
            else:
                painted = _rendering(self.renderer.mix(suspended, tile, statistics))
                for plane, values in zip(self.rendering, painted, strict=True):
                    plane[core] = values

    def _statistics_pass(self, statistics: list[Moments]) -> Moments:
        """The statistic after those that are given, over the whole canvas; merged in the order of the tiles."""
        grid = self.grid
        if not self.keep:
            grid = statistics_grid(self.renderer.generator, grid, self.net, len(statistics))
        return reduce(Moments.merge, (self._measure(number, tile, statistics) for number, tile in enumerate(grid)))

    def _measure(self, number: int, tile: Tile, statistics: list[Moments]) -> Moments:
        suspended = self._resume(number, tile)
        moments = self.renderer.measure(suspended, tile, statistics)
        if number in self.keep:
            self.suspended[number] = suspended
        return moments

    def _resume(self, number: int, tile: Tile) -> SuspendedPass:
        """The tile's forward pass where it was suspended or, if it was not kept, a new one."""
        kept = self.suspended.pop(number, None)
        return kept or self.renderer.start(self.net, tile.read, self._collage(tile))

    def _collage(self, tile: Tile) -> ndarray:
        return np.ascontiguousarray(self.rendering.collage[(..., *tile.read.slices)])


def render_region(renderer: TileRenderer, box: Box, statistics: Statistics) -> Rendering:
    """Any box of the canvas, in one piece, from no more pixels than it depends on.

    Args:
        renderer: of the scene.
        box: in the canvas' pixels.
        statistics: of all networks, over the whole canvas.
    """
    boxes = region_boxes(renderer.generator, renderer.scene.canvas.box, box)
    mixing = renderer.start("mixing", boxes.read)
    rendering = _rendering(renderer.mix(mixing, Tile(boxes.read, boxes.collage), statistics["mixing"]))
    core = rendering.part(boxes.core.within(boxes.collage))
    if "refiner" in renderer.generator.nets:
        refiner = renderer.start("refiner", boxes.collage, rendering.collage)
        tile = Tile(boxes.collage, boxes.core)
        image = renderer.refine(refiner, tile, statistics["refiner"], rendering.collage)
        core = core._replace(output=_array(image))
    return core.part(box.within(boxes.core))


class RegionBoxes(NamedTuple):
    """What is computed for a region of the canvas; each box lies inside the next one."""

    core: Box
    """The region, widened to multiples of 2^depth."""
    collage: Box
    """Where the collage is needed: the core and the refiner's halo; the core alone if there is no refiner."""
    read: Box
    """Where content and templates are needed: the collage's box and the mixing network's halo."""


def region_boxes(generator: Generator, canvas: Box, box: Box) -> RegionBoxes:
    """What has to be computed for a box of the canvas."""
    multiple = generator.config.multiple
    core = _widened(box, Halo(0, 0), multiple, canvas)
    halos = {net: getattr(generator, net).halo.aligned(multiple) for net in generator.nets}
    collage = _widened(core, halos["refiner"], multiple, canvas) if "refiner" in halos else core
    return RegionBoxes(core, collage, _widened(collage, halos["mixing"], multiple, canvas))


def _widened(box: Box, halo: Halo, multiple: int, canvas: Box) -> Box:
    """The box and its halo, widened to multiples of `multiple`, as far as the canvas goes."""
    first = [(start - halo.before) // multiple * multiple for start in (box.top, box.left)]
    last = [-(-(end + halo.behind) // multiple) * multiple for end in (box.bottom, box.right)]
    return Box(max(first[0], 0), max(first[1], 0), min(last[0], canvas.bottom), min(last[1], canvas.right))


def _rendering(collage: Collage) -> Rendering:
    """The first picture of a batch, as arrays."""
    labels = collage.weights[0].argmax(0).cpu().numpy()
    return Rendering(_array(collage.image[0]), _array(collage.collage[0]), labels)


def _array(planes: Tensor) -> ndarray:
    return planes.float().cpu().numpy()
