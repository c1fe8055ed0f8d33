"""The work of one tile: measure a statistic, mix, refine. And a whole canvas in one forward pass.

A poster is painted network by network. First come the network's statistics passes: each runs over all tiles and
measures one statistic, for example what one norm normalises by, over the whole canvas (see magic.networks.norm). Then
every tile is computed to its end with these statistics.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from magic.geometry import Box, Tile
from magic.hyperparameters import Precision
from magic.networks.generator import Collage, Generator, Net
from magic.networks.norm import Moments, SuspendedPass, measure
from magic.networks.warp import neighbours, sample
from magic.pixels import from_uint8
from magic.precision import autocast
from magic.scene.scene import Scene


class TileRenderer:
    """Runs a generator on tiles of a scene.

    Results depend on the tile, the statistics and the collage alone. They are the same in every process that computes
    with the same number of threads.

    Args:
        generator: it is moved to the device and set to evaluation.
        scene: what is painted.
        device: where the networks run.
        precision: of the networks' arithmetic.
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
    def start(self, net: Net, box: Box, collage: Float[ndarray, "3 h w"] | None = None) -> SuspendedPass:
        """Start a network's forward pass over a box of the canvas; it stops before the first norm.

        Args:
            net: which network.
            box: in the canvas' pixels.
            collage: I_M over the box; only the refiner needs it.
        """
        with self._autocast():
            if net == "mixing":
                return SuspendedPass(self.generator.mix(self._content(box), self._templates(box)))
            assert collage is not None, "the refiner needs the collage"
            planes = torch.from_numpy(collage)[None].to(self.device)
            return SuspendedPass(self.generator.refine(planes, self._content(box)))

    @torch.inference_mode()
    def measure(self, suspended: SuspendedPass, tile: Tile, statistics: Sequence[Moments]) -> Moments:
        """The tile's part in the network's next statistic: the moments over the tile's core.

        Args:
            suspended: a forward pass over tile.read; it is continued to where the statistic is measured.
            tile: which tile.
            statistics: the network's statistics so far, each over the whole canvas.
        """
        with self._autocast():
            arrived = suspended.advance(statistics)
        return measure(arrived, tile.core.within(tile.read).shrunk(tile.read.width // arrived.shape[-1]))

    @torch.inference_mode()
    def mix(self, suspended: SuspendedPass, tile: Tile, statistics: Sequence[Moments]) -> Collage:
        """I_M and A over the tile's core; and the output, if no refiner follows.

        Args:
            suspended: a forward pass of the mixing network over tile.read; it is finished.
            tile: which tile.
            statistics: all of the network's statistics, each over the whole canvas.
        """
        with self._autocast():
            planes = suspended.finish(statistics)
        rows, columns = tile.core.within(tile.read).slices
        planes = planes[..., rows, columns]
        num_templates = len(self.scene.memory.templates)
        warp = self.generator.warp(planes, num_templates, tile.core, self.scene.canvas.box)
        templates = self._templates(tile.core) if warp is None else self._warped(warp[0], tile.core)
        return self.generator.pool(planes, templates)._replace(warp=warp)

    @torch.inference_mode()
    def refine(
        self,
        suspended: SuspendedPass,
        tile: Tile,
        statistics: Sequence[Moments],
        collage: Float[ndarray, "3 h w"],
    ) -> Float[Tensor, "3 y x"]:
        """I over the tile's core.

        Args:
            suspended: a forward pass of the refiner over tile.read; it is finished.
            tile: which tile.
            statistics: all of the network's statistics, each over the whole canvas.
            collage: I_M over tile.read.
        """
        with self._autocast():
            planes = suspended.finish(statistics)
        rows, columns = tile.core.within(tile.read).slices
        core_collage = torch.from_numpy(collage[:, rows, columns])[None].to(self.device)
        return self.generator.paint(core_collage, planes[..., rows, columns]).image[0]

    @torch.inference_mode()
    def whole(self) -> Collage:
        """The whole canvas in one forward pass: what tiles must reproduce."""
        box = self.scene.canvas.box
        with self._autocast():
            return self.generator(self._content(box), self._templates(box))  # type: ignore[no-any-return]

    def _autocast(self) -> torch.autocast:
        return autocast(self.device, self.precision)

    def _warped(self, field: Float[Tensor, "K 2 y x"], core: Box) -> Float[Tensor, "1 K 3 y x"]:
        """The displaced templates over a core; of each template, only the part that is needed is cropped."""
        canvas, warped = self.scene.canvas.box, []
        for number, displacement in enumerate(field):
            at = neighbours(displacement[None], core, canvas)
            place = at.box
            warped.append(sample(self._planes(self.scene.template_crop(number, place)[None]), place, at))
        return torch.cat(warped)[None]

    def _content(self, box: Box) -> Tensor | None:
        """I_C over a box of the canvas, [1 3 h w]."""
        pixels = self.scene.content_window(box)
        return None if pixels is None else self._planes(pixels[None])

    def _templates(self, box: Box) -> Tensor:
        """M over a box of the canvas, [1 K 3 h w]."""
        return self._planes(self.scene.template_window(box))[None]

    def _planes(self, pixels: UInt8[ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Pictures in the networks' range, on the device."""
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return from_uint8(torch.from_numpy(planes).to(self.device))
