"""A scene: what is painted, as a function of global coordinates; and how its canvas is cut into tiles."""

from dataclasses import dataclass, replace

from jaxtyping import UInt8
from numpy import ndarray

from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.networks.generator import Generator, Net
from magic.scene.content import Content
from magic.scene.memory import MemorySet


@dataclass(frozen=True, slots=True)
class Scene:
    """What is painted: content and templates on a canvas. All boxes are in the canvas' pixels."""

    content: Content | None
    """The content picture, shown at the poster's size; None for an unguided generator."""
    memory: MemorySet
    """The templates, in the poster's coordinates."""
    canvas: Canvas
    """The poster and the padding around it."""

    def content_window(self, box: Box) -> UInt8[ndarray, "h w 3"] | None:
        """The content in a box of the canvas; None for an unguided generator."""
        return None if self.content is None else self.content.window(self._on_poster(box))

    def template_window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates' pixels in a box of the canvas."""
        return self.memory.window(self._on_poster(box))

    def template_crop(self, number: int, box: Box) -> UInt8[ndarray, "h w 3"]:
        """The pixels of template `number` in a box of the canvas."""
        return self.memory.crop(number, self._on_poster(box))

    def _on_poster(self, box: Box) -> Box:
        """The same box in the poster's pixels."""
        padding = self.canvas.padding_before
        return box.shifted(-padding, -padding)


def plan_canvas(generator: Generator, poster_height: int, poster_width: int) -> Canvas:
    """The canvas of a poster of that size in pixels, padded by the halo of all networks, one after the other.

    Raises:
        ValueError: if the poster has no pixel.
    """
    multiple = generator.config.multiple
    halo = Halo(0, 0)
    for net in generator.nets:
        halo = halo.plus(getattr(generator, net).halo.aligned(multiple))
    return Canvas.around(poster_height, poster_width, halo=halo, multiple=multiple)


def plan_grid(generator: Generator, canvas: Canvas, core_px: int) -> TileGrid:
    """The tiles of a canvas, with halos that suffice for every network of the generator.

    Args:
        generator: whose halo and depth matter.
        canvas: what is cut into tiles.
        core_px: side of a tile's core, in pixels.

    Raises:
        ValueError: if core_px is not a positive multiple of 2^depth.
    """
    multiple = generator.config.multiple
    return TileGrid(
        height=canvas.height,
        width=canvas.width,
        core_px=core_px,
        halo=generator.halo.aligned(multiple),
        multiple=multiple,
    )


def statistics_grid(generator: Generator, grid: TileGrid, net: Net, statistic: int) -> TileGrid:
    """The tiles of a statistics pass that computes every tile from the network's input: cores as in `grid`, with no
    larger halos than the statistic needs.

    Args:
        generator: to which the network belongs.
        grid: the tiles of the canvas.
        net: which network.
        statistic: number of the statistic, from 0.
    """
    halo = getattr(generator, net).halo_of_norm(statistic)
    return replace(grid, halo=halo.aligned(grid.multiple))
