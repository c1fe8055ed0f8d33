"""One tile of a poster: measure a norm on it, mix it, refine it. And the whole canvas in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from magic.batch import from_uint8
from magic.generator import Collage, MagicGenerator
from magic.memory import MemorySet, window
from magic.norm import Moments, Stages, advance, complete, measure
from magic.tiles import Box, Canvas, Tile, TileGrid

Net = Literal["mixing", "refiner"]
NETS: tuple[Net, ...] = ("mixing", "refiner")


@dataclass(frozen=True, slots=True)
class Scene:
    """What is painted, as a function of global coordinates."""

    content: UInt8[ndarray, "H W 3"]
    """The content picture, at the poster's size."""
    memory: MemorySet
    canvas: Canvas

    def content_window(self, box: Box) -> UInt8[ndarray, "h w 3"]:
        """Content in a box of the canvas."""
        return window(self.content, self._on_poster(box))

    def template_window(self, box: Box) -> UInt8[ndarray, "K h w 3"]:
        """All templates in a box of the canvas."""
        return self.memory.window(self._on_poster(box))

    def _on_poster(self, box: Box) -> Box:
        bleed = self.canvas.bleed_before
        return box.shifted(-bleed, -bleed)


def plan_canvas(generator: MagicGenerator, poster_height: int, poster_width: int) -> Canvas:
    """The canvas of a poster: its borders are out of sight of both networks in series."""
    multiple = generator.config.multiple
    halo = generator.mixing.halo.aligned(multiple).plus(generator.refiner.halo.aligned(multiple))
    return Canvas.around(poster_height, poster_width, halo=halo, multiple=multiple)


def plan_grid(generator: MagicGenerator, canvas: Canvas, core_px: int) -> TileGrid:
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


class TileRenderer:
    """A generator and a scene: whatever is asked of one tile.

    Results depend on the tile, the statistics and the collage alone, so that they are the same in every process
    with the same number of threads.
    """

    def __init__(self, generator: MagicGenerator, scene: Scene, device: torch.device) -> None:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self.generator = generator.eval().requires_grad_(False).to(device)
        self.scene = scene
        self.device = device

    @torch.inference_mode()
    def measure(
        self,
        net: Net,
        tile: Tile,
        statistics: Sequence[Moments],
        collage: Float[ndarray, "3 h w"] | None = None,
    ) -> Moments:
        """Moments, over the tile's core, of what meets the norm behind those with statistics.

        Args:
            net: which network; the refiner also needs the collage over tile.read.
            tile: where.
            statistics: of the norms before it, over the whole canvas.
            collage: I_M over tile.read.
        """
        stages = self._mix(tile.read) if net == "mixing" else self._refine(tile.read, collage)
        reached = advance(stages, statistics)
        stages.close()
        factor = tile.read.width // reached.shape[-1]
        return measure(reached, tile.core.within(tile.read).shrunk(factor))

    @torch.inference_mode()
    def mix(self, tile: Tile, statistics: Sequence[Moments]) -> tuple[Float[ndarray, "3 y x"], Float[ndarray, "K y x"]]:
        """I_M and A over the tile's core."""
        logits = complete(self._mix(tile.read), statistics)
        rows, columns = tile.core.within(tile.read).slices
        templates = self._templates(tile.core)
        collage, weights = self.generator.pool(logits[..., rows, columns], templates)
        return collage[0].cpu().numpy(), weights[0].cpu().numpy()

    @torch.inference_mode()
    def refine(
        self, tile: Tile, statistics: Sequence[Moments], collage: Float[ndarray, "3 h w"]
    ) -> Float[ndarray, "3 y x"]:
        """I over the tile's core, from I_M over tile.read."""
        painted = complete(self._refine(tile.read, collage), statistics)
        image = self.generator.finish(torch.from_numpy(collage)[None].to(self.device), painted)
        rows, columns = tile.core.within(tile.read).slices
        return image[0, :, rows, columns].cpu().numpy()

    @torch.inference_mode()
    def whole(self) -> Collage:
        """The whole canvas in one forward pass: what tiles must reproduce."""
        box = self.scene.canvas.box
        return self.generator(self._content(box), self._templates(box))  # type: ignore[no-any-return]

    def _mix(self, box: Box) -> Stages:
        return self.generator.mix(self._content(box), self._templates(box))

    def _refine(self, box: Box, collage: ndarray | None) -> Stages:
        assert collage is not None, "the refiner needs the collage"
        seen = torch.from_numpy(collage)[None].to(self.device)
        return self.generator.refine(seen, self._content(box))

    def _content(self, box: Box) -> Tensor:
        return self._planes(self.scene.content_window(box)[None])

    def _templates(self, box: Box) -> Tensor:
        return self._planes(self.scene.template_window(box))[None]

    def _planes(self, pixels: UInt8[ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return from_uint8(torch.from_numpy(planes).to(self.device))
