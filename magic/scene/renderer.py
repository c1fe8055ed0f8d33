"""One tile of a poster: measure a norm on it, mix it, refine it. And the whole canvas in one pass."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from magic.geometry import Box, Tile
from magic.hyperparameters import Precision
from magic.networks.generator import Collage, Generator, Net
from magic.networks.norm import Moments, Pass, measure
from magic.networks.warp import neighbours, sample
from magic.pixels import from_uint8
from magic.precision import DTYPES
from magic.scene.scene import Scene


class TileRenderer:
    """A generator and a scene: whatever is asked of one tile.

    Results depend on the tile, the statistics and the collage alone, so that they are the same in every process
    with the same number of threads.
    """

    def __init__(self, generator: Generator, scene: Scene, device: torch.device, precision: Precision = "fp32") -> None:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self.generator = generator.eval().requires_grad_(False).to(device)
        self.scene = scene
        self.device = device
        self.precision = precision

    @torch.inference_mode()
    def start(self, net: Net, box: Box, collage: Float[ndarray, "3 h w"] | None = None) -> Pass:
        """A network on its way over a box of the canvas.

        Args:
            net: which; the refiner also needs the collage.
            box: where.
            collage: I_M over the box.
        """
        with self._autocast():
            if net == "mixing":
                return Pass(self.generator.mix(self._content(box), self._templates(box)))
            assert collage is not None, "the refiner needs the collage"
            seen = torch.from_numpy(collage)[None].to(self.device)
            return Pass(self.generator.refine(seen, self._content(box)))

    @torch.inference_mode()
    def measure(self, begun: Pass, tile: Tile, statistics: Sequence[Moments]) -> Moments:
        """Moments, over the tile's core, of what needs statistics next, behind those that are given.

        Args:
            begun: a pass over tile.read.
            tile: where.
            statistics: all those before it, over the whole canvas.
        """
        with self._autocast():
            reached = begun.reach(statistics)
        return measure(reached, tile.core.within(tile.read).shrunk(tile.read.width // reached.shape[-1]))

    @torch.inference_mode()
    def mix(self, begun: Pass, tile: Tile, statistics: Sequence[Moments]) -> Collage:
        """I_M and A over the tile's core; and the output, if no refiner follows."""
        with self._autocast():
            planes = begun.finish(statistics)
        rows, columns = tile.core.within(tile.read).slices
        planes = planes[..., rows, columns]
        num_templates = len(self.scene.memory.templates)
        warp = self.generator.warp(planes, num_templates, tile.core, self.scene.canvas.box)
        templates = self._templates(tile.core) if warp is None else self._warped(warp[0], tile.core)
        return self.generator.pool(planes, templates)._replace(warp=warp)

    @torch.inference_mode()
    def refine(
        self, begun: Pass, tile: Tile, statistics: Sequence[Moments], collage: Float[ndarray, "3 h w"]
    ) -> Float[Tensor, "3 y x"]:
        """I over the tile's core, from I_M over tile.read."""
        with self._autocast():
            planes = begun.finish(statistics)
        rows, columns = tile.core.within(tile.read).slices
        below = torch.from_numpy(collage[:, rows, columns])[None].to(self.device)
        return self.generator.paint(below, planes[..., rows, columns]).image[0]

    @torch.inference_mode()
    def whole(self) -> Collage:
        """The whole canvas in one forward pass: what tiles must reproduce."""
        box = self.scene.canvas.box
        with self._autocast():
            return self.generator(self._content(box), self._templates(box))  # type: ignore[no-any-return]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "fp32")

    def _warped(self, field: Float[Tensor, "K 2 y x"], core: Box) -> Float[Tensor, "1 K 3 y x"]:
        """Each template as its displacement shows it, from no more of it than that takes."""
        canvas, shown = self.scene.canvas.box, []
        for number, moved in enumerate(field):
            at = neighbours(moved[None], core, canvas)
            box = at.box
            shown.append(sample(self._planes(self.scene.template_crop(number, box)[None]), box, at))
        return torch.cat(shown)[None]

    def _content(self, box: Box) -> Tensor | None:
        pixels = self.scene.content_window(box)
        return None if pixels is None else self._planes(pixels[None])

    def _templates(self, box: Box) -> Tensor:
        return self._planes(self.scene.template_window(box))[None]

    def _planes(self, pixels: UInt8[ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return from_uint8(torch.from_numpy(planes).to(self.device))
