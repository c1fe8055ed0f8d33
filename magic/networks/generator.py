"""The generator: it turns a set of templates, and usually a content picture, into a collage (section 3, appendix I).

`Generator` is what all systems have in common; `MagicGenerator` is the paper's. Symbols: B pictures, K templates, H and
W pixels, P planes of a network's output, N = B K where the mixing network runs once for each template, otherwise B.
"""

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
from magic.networks.warp import WARPS, WarpKind, neighbours, sample

INITIAL_ALPHA_LOGIT = -3.0
"""Logit of alpha when training begins: about 5 % of each pixel is painted, the rest is the collage."""
Net = Literal["mixing", "refiner"]
"""The networks of a generator, in the order in which they run."""
Statistics = dict[Net, list[Moments]]
"""What each network's norms, and a warp that averages its planes, need to know of a whole canvas, in the order of the
forward pass."""


class Collage(NamedTuple):
    """What a generator yields."""

    image: Float[Tensor, "B 3 H W"]
    """I, the output, in [-1, 1]."""
    collage: Float[Tensor, "B 3 H W"]
    """I_M = sum_k A_k M_k, in [-1, 1]."""
    weights: Float[Tensor, "B K H W"]
    """A, the share of each template at each pixel; sums to 1 over K."""
    warp: Float[Tensor, "B K 2 H W"] | None = None
    """The displacement, down and right in pixels, by which each pixel of each template is taken; None without warps."""
    painted: Float[Tensor, "B 1 H W"] | None = None
    """alpha, the share of each pixel that is painted and not copied, 0 to 1; None where no share is computed."""
    painted_over: bool = False
    """Whether the image was painted over the collage: by MAGIC's refiner, or by FAMOS. False where the image is the
    collage itself, or is painted without one."""


class Painting(NamedTuple):
    """What was painted over a collage."""

    image: Float[Tensor, "B 3 H W"]
    """I, the output, in [-1, 1]."""
    share: Float[Tensor, "B 1 H W"] | None = None
    """alpha, the share of each pixel that is painted, 0 to 1; None where the image is not blended with the collage."""


def paint_over(collage: Float[Tensor, "B 3 H W"], planes: Float[Tensor, "B 4 H W"]) -> Painting:
    """Blend painted colours with a collage: I = alpha painted + (1 - alpha) I_M (FAMOS' hybrid, section 3).

    Args:
        collage: I_M.
        planes: of a network: three colours before tanh, and the logit of alpha.
    """
    colours, alpha = planes.float().tensor_split((3,), 1)
    alpha = alpha.sigmoid()
    return Painting(torch.lerp(collage, colours.tanh(), alpha), alpha)


class Generator(nn.Module):
    """What all systems have in common, and all that a renderer asks of them.

    A first network, `mixing`, sees the content and the templates; `warp` and `pool` turn its output into a collage. A
    second network, `refiner`, may follow; `paint` turns its output into the image. `mix` and `refine` run the networks
    as coroutines (see `magic.networks.norm`), because a poster is computed in many tiles that wait for each other's
    statistics. `forward` does the same on a picture that is computed at once.

    >>> from magic.hyperparameters import GeneratorConfig
    >>> generator = build_generator(GeneratorConfig(channels=4, depth=2))
    >>> content, templates = torch.zeros(1, 3, 8, 12), torch.zeros(1, 5, 3, 8, 12)  # one picture, five templates
    >>> collage = generator(content, templates)
    >>> collage.image.shape
    torch.Size([1, 3, 8, 12])
    >>> collage.weights.shape
    torch.Size([1, 5, 8, 12])
    """

    mixing: UNet

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.refiner: UNet | None = None

    def forward(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Collage:
        """Paint the content with pieces of the templates.

        Args:
            content: I_C in [-1, 1]; None for an unguided generator.
            templates: M in [-1, 1], K >= 1. H and W must be multiples of 2^depth.

        Raises:
            ValueError: if K < 1, if H or W is not a multiple of 2^depth, or if there is a content for an unguided
                generator or none for a guided one.
        """
        self._check(content, templates)
        planes = complete(self.mix(content, templates))
        canvas = Box(0, 0, *templates.shape[-2:])
        warp = self.warp(planes, templates.shape[1], canvas, canvas)
        if warp is not None:
            flat = sample(templates.flatten(0, 1), canvas, neighbours(warp.flatten(0, 1), canvas, canvas))
            templates = flat.view_as(templates)
        collage = self.pool(planes, templates)._replace(warp=warp)
        if self.refiner is None:
            return collage
        image, painted = self.paint(collage.collage, complete(self.refine(collage.collage, content)))
        return collage._replace(image=image, painted=painted, painted_over=True)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """Run the mixing network; it returns the planes [N P H W] that `warp` and `pool` take."""
        raise NotImplementedError

    def warp(
        self, planes: Float[Tensor, "N P h w"], num_templates: int, box: Box, canvas: Box
    ) -> Float[Tensor, "B K 2 h w"] | None:
        """The displacement of every template over a box of the canvas, in pixels; None without warps.

        Args:
            planes: what `mix` returned, over the box.
            num_templates: K.
            box: where on the canvas.
            canvas: the whole canvas.
        """
        return None

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """Blend the templates to a collage; its image is final if no refiner follows.

        Args:
            planes: what `mix` returned.
            templates: M, warped already if there are warps.
        """
        raise NotImplementedError

    def refine(self, collage: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"] | None) -> Stages:
        """Run the refiner; it returns the planes [B P H W] that `paint` takes."""
        raise NotImplementedError

    def paint(self, collage: Float[Tensor, "B 3 h w"], planes: Float[Tensor, "B P h w"]) -> Painting:
        """Turn the planes that `refine` returned into the output."""
        raise NotImplementedError

    @property
    def nets(self) -> tuple[Net, ...]:
        """The networks that this generator has, in the order in which they run."""
        return ("mixing",) if self.refiner is None else ("mixing", "refiner")

    def num_statistics(self, net: Net) -> int:
        """How many statistics passes over the whole canvas a network needs: one for each norm."""
        num_norms: int = getattr(self, net).num_norms
        return num_norms

    @property
    def halo(self) -> Halo:
        """The halo of whichever network has the larger one, in pixels."""
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
        expected = "a content picture" if self.config.guided else "no content, since the model is unguided"
        got = "none" if content is None else "one"
        require((content is not None) == self.config.guided, expected, got, "use another model")


def build_generator(config: GeneratorConfig) -> Generator:
    """A fresh generator of the configured system."""
    return config.traits.generator_class()(config)


class MagicGenerator(Generator):
    """MAGIC: a mixing network with set attention, a softmax over the set, and a refiner (section 3)."""

    refiner: UNet

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.mixing = UNet(
            6 if config.guided else 3,
            1 + self.warp_kind.num_planes,
            channels=config.channels,
            depth=config.depth,
            attention=partial(SetAttention, heads=config.heads, inducing_points=config.inducing_points),
        )
        nn.init.zeros_(self.mixing.head.weight[1:])  # training begins without displacements
        inputs, outputs = 6 if config.refiner_sees_content else 3, 4 if config.refine == "blend" else 3
        self.refiner = UNet(inputs, outputs, channels=config.refiner_width, depth=config.depth)
        if config.refine == "blend":
            nn.init.constant_(self.refiner.head.bias[3], INITIAL_ALPHA_LOGIT)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """For every template a plane of logits and the planes of its warp: [B*K 1+P H W].

        Planes that are averaged over the whole canvas (affine warps) take a statistic, as the norms do.
        """
        k = templates.shape[1]
        stages = self.mixing.stages(_paired(content, templates), k)
        del content, templates  # a suspended pass keeps alive whatever its frames have a name for
        planes = yield from stages
        if self.warp_kind.averages_planes:
            planes = planes.float()  # half precision would move the edges of a large poster by pixels
            statistics = yield planes[:, 1:]
            if statistics is None:
                means = planes[:, 1:].double().mean((2, 3)).to(planes)
            else:
                means = statistics.means_like(planes)
            planes = torch.cat([planes[:, :1], means[..., None, None].expand_as(planes[:, 1:])], 1)
        return planes

    def warp(
        self, planes: Float[Tensor, "N P h w"], num_templates: int, box: Box, canvas: Box
    ) -> Float[Tensor, "B K 2 h w"] | None:
        """The displacement of every template over a box of the canvas, in pixels; None without warps."""
        displacement = self.warp_kind.displacement
        if displacement is None:
            return None
        field = displacement(planes[:, 1:], self.config.warp_reach_px, box, canvas)
        return field.view(-1, num_templates, *field.shape[1:])

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """Blend the templates by the softmax of their logits over K: I_M and A."""
        weights = planes[:, 0].reshape(*templates.shape[:2], *planes.shape[-2:]).float().softmax(1)
        collage = (weights[:, :, None] * templates).sum(1)
        return Collage(collage, collage, weights)

    def refine(self, collage: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"] | None) -> Stages:
        """Three colours before tanh and, if they are blended with the collage, the logit of alpha: [B P H W]."""
        if self.config.refiner_sees_content and content is not None:
            return self.refiner.stages(torch.cat([collage, content], 1))
        return self.refiner.stages(collage)

    def paint(self, collage: Float[Tensor, "B 3 h w"], planes: Float[Tensor, "B P h w"]) -> Painting:
        """The painted colours or, with the option refine=blend, their blend with the collage."""
        if self.config.refine == "blend":
            return paint_over(collage, planes)
        return Painting(planes.float().tanh())

    def num_statistics(self, net: Net) -> int:
        """One for each norm, and one more for a warp that averages its planes."""
        return super().num_statistics(net) + (net == "mixing" and self.warp_kind.averages_planes)

    @property
    def warp_kind(self) -> WarpKind:
        """The warp, as it is registered in magic.networks.warp."""
        return WARPS[self.config.warp]


def _paired(content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Tensor:
    """The mixing network's input: each template, after its content if there is one, [B*K 6 H W] or [B*K 3 H W]."""
    if content is not None:
        templates = torch.cat([content[:, None].expand(-1, templates.shape[1], -1, -1, -1), templates], 2)
    return templates.flatten(0, 1)
