"""What is painted, as a function of global coordinates, and how its canvas is cut into tiles."""

from dataclasses import dataclass, replace

from jaxtyping import UInt8
from numpy import ndarray

from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.networks.generator import Generator, Net
from magic.scene.content import Content
from magic.scene.memory import MemorySet


@dataclass(frozen=True, slots=True)
class Scene:
    """What is painted, as a function of global coordinates."""

    content: Content | None
    """The content picture, shown at the poster's size; None for an unguided generator."""
    memory: MemorySet
    canvas: Canvas

    def content_window(self, box: Box) -> UInt8[ndarray, "h w 3"] | None:
        """Content in a box of the canvas."""
        return None if self.content is None else self.content.window(self._on_poster(box))

    def template_window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates in a box of the canvas."""
        return self.memory.window(self._on_poster(box))

    def template_crop(self, number: int, box: Box) -> UInt8[ndarray, "h w 3"]:
        """One template in a box of the canvas."""
        return self.memory.crop(number, self._on_poster(box))

    def _on_poster(self, box: Box) -> Box:
        bleed = self.canvas.bleed_before
        return box.shifted(-bleed, -bleed)


def plan_canvas(generator: Generator, poster_height: int, poster_width: int) -> Canvas:
    """The canvas of a poster: its borders are out of sight of all networks in series."""
    multiple = generator.config.multiple
    halo = Halo(0, 0)
    for net in generator.nets:
        halo = halo.plus(getattr(generator, net).halo.aligned(multiple))
    return Canvas.around(poster_height, poster_width, halo=halo, multiple=multiple)


def plan_grid(generator: Generator, canvas: Canvas, core_px: int) -> TileGrid:
    """The tiles of a canvas.

    Raises:
        ValueError: if core_px is no multiple of 2^depth.
    """
    multiple = generator.config.multiple
    return TileGrid(
        height=canvas.height,
        width=canvas.width,
        core_px=core_px,
        halo=generator.halo.aligned(multiple),
        multiple=multiple,
    )


def sweep_grid(generator: Generator, grid: TileGrid, net: Net, number: int) -> TileGrid:
    """The same cores, each with no more around it than statistic `number` of a network needs: for a sweep that
    computes everything anew.
    """
    halo = getattr(generator, net).halo_of_norm(number)
    return replace(grid, halo=halo.aligned(grid.multiple))
