"""The generator: a set of style patches and perhaps a content picture in, a collage out (section 3, appendix I)."""

from functools import partial
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from magic.checks import require
from magic.geometry import Box, Halo
from magic.hyperparameters import GeneratorConfig
from magic.networks.norm import Moments, Stages, complete
from magic.networks.set_attention import SetAttention
from magic.networks.unet import UNet
from magic.networks.warp import NUM_PLANES, displacement, neighbours, sample

FIRST_PAINTED = -3.0  # logit of alpha where training begins: nearly all is the collage
Net = Literal["mixing", "refiner"]
"""The networks of a generator, in their order."""
Statistics = dict[Net, list[Moments]]
"""The normalisation statistics of each network over a whole canvas, in the order of its forward pass."""


class Collage(NamedTuple):
    """What a generator makes."""

    image: Float[Tensor, "B 3 H W"]
    """I, the refined output, in [-1, 1]."""
    collage: Float[Tensor, "B 3 H W"]
    """I_M = sum_k A_k M_k, in [-1, 1]."""
    weights: Float[Tensor, "B K H W"]
    """A, the share of each template at each pixel; sums to 1 over K."""
    warp: Float[Tensor, "B K 2 H W"] | None = None
    """From how far, down and right in pixels, each pixel of each template is taken; None without warps."""
    painted: Float[Tensor, "B 1 H W"] | None = None
    """The share of each pixel that is painted, not copied; None where the system makes no such difference."""


class Painting(NamedTuple):
    """A collage after something was painted over it."""

    image: Float[Tensor, "B 3 H W"]
    share: Float[Tensor, "B 1 H W"] | None = None
    """alpha, the share of each pixel that is painted; None where all of it is."""


def paint_over(collage: Float[Tensor, "B 3 H W"], planes: Float[Tensor, "B 4 H W"]) -> Painting:
    """I = alpha painted + (1 - alpha) I_M, from three colours and the logit of alpha (FAMOS' hybrid, section 3)."""
    colours, alpha = planes.float().tensor_split((3,), 1)
    alpha = alpha.sigmoid()
    return Painting(torch.lerp(collage, colours.tanh(), alpha), alpha)


class Generator(nn.Module):
    """What all systems have in common, and all that a renderer asks of them.

    A first network, `mixing`, sees the content and the templates; `pool` makes a collage of what it says. A second,
    `refiner`, may follow. Both are offered as coroutines over what they need statistics of, because a poster is
    rendered in that order over many tiles; `forward` runs the same parts on one picture.
    """

    mixing: UNet

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.refiner: UNet | None = None

    def forward(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Collage:
        """Paint the content with pieces of the templates; H and W must be multiples of 2^depth.

        Raises:
            ValueError: if K < 1, if H or W is no multiple of 2^depth, or if there is a content for an unguided
                generator or none for a guided one.
        """
        self._check(content, templates)
        planes = complete(self.mix(content, templates))
        canvas = Box(0, 0, *templates.shape[-2:])
        warp = self.warp(planes, templates.shape[1], canvas, canvas)
        if warp is not None:
            flat = sample(templates.flatten(0, 1), canvas, neighbours(warp.flatten(0, 1), canvas, canvas))
            templates = flat.view_as(templates)
        made = self.pool(planes, templates)._replace(warp=warp)
        if self.refiner is None:
            return made
        image, painted = self.paint(made.collage, complete(self.refine(made.collage, content)))
        return made._replace(image=image, painted=painted)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """What the mixing network says: planes that `warp` and `pool` understand."""
        raise NotImplementedError

    def warp(
        self, planes: Float[Tensor, "N P h w"], num_templates: int, box: Box, canvas: Box
    ) -> Float[Tensor, "B K 2 h w"] | None:
        """The warp over a box of the canvas that the planes over that box mean."""
        return None

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """Blend templates, warped already where there are warps; the image is final if no refiner follows."""
        raise NotImplementedError

    def refine(self, collage: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"] | None) -> Stages:
        """What the refiner says: planes that `paint` understands."""
        raise NotImplementedError

    def paint(self, collage: Float[Tensor, "B 3 h w"], planes: Float[Tensor, "B P h w"]) -> Painting:
        """The output I, and which share of it is painted."""
        raise NotImplementedError

    @property
    def nets(self) -> tuple[Net, ...]:
        """The networks in their order."""
        return ("mixing",) if self.refiner is None else ("mixing", "refiner")

    def num_statistics(self, net: Net) -> int:
        """How many statistics over the whole canvas a network needs, one after the other."""
        raise NotImplementedError

    @property
    def halo(self) -> Halo:
        """How far any one network sees by itself, in pixels."""
        halos = [getattr(self, net).halo for net in self.nets]
        return Halo(*map(max, zip(*halos, strict=True)))

    def _check(self, content: Tensor | None, templates: Tensor) -> None:
        k, height, width = templates.shape[1], *templates.shape[-2:]
        require(k >= 1, "at least one template (K >= 1)", k, "add style patches")
        multiple = self.config.multiple
        require(
            height % multiple == 0 and width % multiple == 0,
            f"height and width that are multiples of 2^depth = {multiple}",
            (height, width),
            "pad or crop the pictures",
        )
        wanted = "a content picture" if self.config.guided else "no content, since the model is unguided"
        came = "none" if content is None else "one"
        require((content is not None) == self.config.guided, wanted, came, "use another model")


class MagicGenerator(Generator):
    """MAGIC: set attention in the mixing network, softmax over the set, and a refiner."""

    refiner: UNet

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.mixing = UNet(
            6 if config.guided else 3,
            1 + NUM_PLANES[config.warp],
            channels=config.channels,
            depth=config.depth,
            attention=partial(SetAttention, heads=config.heads, inducing_points=config.inducing_points),
        )
        nn.init.zeros_(self.mixing.head.weight[1:])  # no warp
        inputs, outputs = 6 if config.refiner_sees_content else 3, 4 if config.refine == "blend" else 3
        self.refiner = UNet(inputs, outputs, channels=config.refiner_width, depth=config.depth)
        if config.refine == "blend":
            nn.init.constant_(self.refiner.head.bias[3], FIRST_PAINTED)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """For every element a plane of logits, and planes of its warp: [B*K 1+P H W].

        An affine warp is one for the whole canvas: the mean of its planes, which is a statistic like any other.
        """
        k = templates.shape[1]
        stages = self.mixing.stages(_seen(content, templates), k)
        del content, templates  # a pass that is kept at a norm holds what its frames name
        planes = yield from stages
        if self.config.warp == "affine":
            planes = planes.float()  # half the bits would move the edge of a large poster by pixels
            given = yield planes[:, 1:]
            means = planes[:, 1:].double().mean((2, 3)).to(planes) if given is None else given.means_like(planes)
            planes = torch.cat([planes[:, :1], means[..., None, None].expand_as(planes[:, 1:])], 1)
        return planes

    def warp(
        self, planes: Float[Tensor, "N P h w"], num_templates: int, box: Box, canvas: Box
    ) -> Float[Tensor, "B K 2 h w"] | None:
        """The displacement of every element over the box, or None for a generator without warps."""
        if self.config.warp == "none":
            return None
        field = displacement(self.config.warp, planes[:, 1:], self.config.warp_reach_px, box, canvas)
        return field.view(-1, num_templates, *field.shape[1:])

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """Blend the templates by the softmax of their logits: I_M and A."""
        weights = planes[:, 0].reshape(*templates.shape[:2], *planes.shape[-2:]).float().softmax(1)
        collage = (weights[:, :, None] * templates).sum(1)
        return Collage(collage, collage, weights)

    def refine(self, collage: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"] | None) -> Stages:
        """Three colours and, to blend them with the collage, the logit of their share: [B P H W]."""
        seen = torch.cat([collage, content], 1) if self.config.refiner_sees_content and content is not None else collage
        return self.refiner.stages(seen)

    def paint(self, collage: Float[Tensor, "B 3 h w"], planes: Float[Tensor, "B P h w"]) -> Painting:
        """All painted, or blended."""
        if self.config.refine == "blend":
            return paint_over(collage, planes)
        return Painting(planes.float().tanh())

    def num_statistics(self, net: Net) -> int:
        """Those of the norms; the mean warp."""
        if net == "mixing":
            return self.mixing.num_norms + (self.config.warp == "affine")
        return self.refiner.num_norms


def _seen(content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Tensor:
    """What the mixing network is shown: each element, with the content before it, [B*K 3 H W] or [B*K 6 H W]."""
    if content is not None:
        templates = torch.cat([content[:, None].expand(-1, templates.shape[1], -1, -1, -1), templates], 2)
    return templates.flatten(0, 1)
