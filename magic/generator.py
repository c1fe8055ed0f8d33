"""The generator: a set of style patches and a content picture in, a collage out (section 3, appendix I)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from magic.config import GeneratorConfig, require
from magic.norm import Stages, complete
from magic.tiles import Halo
from magic.unet import UNet

MAX_CORRECTION = 0.125  # 16 of 256 levels: room for seams and shading, none for another palette


class Collage(NamedTuple):
    """What a generator makes."""

    image: Float[Tensor, "B 3 H W"]
    """I, the refined output, in [-1, 1], plus at most MAX_CORRECTION where the refiner corrects."""
    collage: Float[Tensor, "B 3 H W"]
    """I_M = sum_k A_k M_k, in [-1, 1]."""
    weights: Float[Tensor, "B K H W"]
    """A, the share of each template at each pixel; sums to 1 over K."""


class MagicGenerator(nn.Module):
    """Mixing network, pooling and refiner.

    The two networks are also offered apart (`mix`, `pool`, `refine`), as coroutines over their norms, because a
    poster is rendered in that order over many tiles; `forward` runs the same parts on one picture.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mixing = UNet(6, 1, channels=config.channels, depth=config.depth, heads=config.heads)
        inputs = 6 if config.refiner_sees_content else 3
        self.refiner = UNet(inputs, 3, channels=config.channels, depth=config.depth, heads=None)
        if config.refine == "correct":
            nn.init.zeros_(self.refiner.head.weight)

    def forward(self, content: Float[Tensor, "B 3 H W"], templates: Float[Tensor, "B K 3 H W"]) -> Collage:
        """Paint the content with pieces of the templates; H and W must be multiples of 2^depth.

        Raises:
            ValueError: if K < 1, or if H or W is no multiple of 2^depth.
        """
        self._check(templates)
        logits = complete(self.mix(content, templates))
        collage, weights = self.pool(logits, templates)
        correction = complete(self.refine(collage, content))
        return Collage(self.finish(collage, correction), collage, weights)

    def mix(self, content: Float[Tensor, "B 3 H W"], templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """The mixing network: one plane of logits for every element, [B*K 1 H W]."""
        k = templates.shape[1]
        guided = torch.cat([content[:, None].expand(-1, k, -1, -1, -1), templates], 2)  # [B K 6 H W]
        return self.mixing.stages(guided.flatten(0, 1), k)

    def pool(
        self, logits: Float[Tensor, "BK 1 H W"], templates: Float[Tensor, "B K 3 H W"]
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B K H W"]]:
        """Blend the templates by the softmax of their logits: I_M and A."""
        weights = logits.view(*templates.shape[:2], *logits.shape[-2:]).float().softmax(1)
        return (weights[:, :, None] * templates).sum(1), weights

    def refine(self, collage: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"]) -> Stages:
        """The refiner: what `finish` makes the output from, [B 3 H W]."""
        seen = torch.cat([collage, content], 1) if self.config.refiner_sees_content else collage
        return self.refiner.stages(seen)

    def finish(self, collage: Float[Tensor, "B 3 H W"], painted: Tensor) -> Float[Tensor, "B 3 H W"]:
        """The output I from the collage and what the refiner painted."""
        bounded = painted.float().tanh()
        return collage + MAX_CORRECTION * bounded if self.config.refine == "correct" else bounded

    @property
    def halo(self) -> Halo:
        """How far either network sees by itself, in pixels."""
        return Halo(*map(max, zip(self.mixing.halo, self.refiner.halo, strict=True)))

    def _check(self, templates: Tensor) -> None:
        k, height, width = templates.shape[1], *templates.shape[-2:]
        require(k >= 1, "at least one template (K >= 1)", k, "add style patches")
        multiple = self.config.multiple
        require(
            height % multiple == 0 and width % multiple == 0,
            f"height and width that are multiples of 2^depth = {multiple}",
            (height, width),
            "pad or crop the pictures",
        )
