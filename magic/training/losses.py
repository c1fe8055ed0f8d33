"""The terms of the training objective (section 3). Each is a mean, so its weight does not depend on sizes.

To add a term of the generator's objective, give it an entry in TERMS, and `magic.hyperparameters.LossConfig` a weight
of the same name. To add a kind of adversarial loss or of content features, give it an entry in ADVERSARIAL or
CONTENT_FEATURES, and its name to the type of the same name there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from magic.hyperparameters import Adversarial, ContentFeatures, LossConfig
from magic.networks.generator import Collage
from magic.pixels import luminance


class AdversarialLoss(NamedTuple):
    """L_adv as both networks see it, from the discriminator's logits of style patches (real) and collages (fake)."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    """Of real and fake: small where real logits are high and fake ones low."""
    generator: Callable[[Tensor], Tensor]
    """Of fake: small where fake logits are high."""


ADVERSARIAL: dict[Adversarial, AdversarialLoss] = {
    "cross_entropy": AdversarialLoss(  # of the logits (Goodfellow et al. 2014)
        discriminator=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        generator=lambda fake: F.softplus(-fake).mean(),
    ),
    "hinge": AdversarialLoss(  # Lim and Ye 2017
        discriminator=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        generator=lambda fake: -fake.mean(),
    ),
    "least_squares": AdversarialLoss(  # Mao et al. 2017
        discriminator=lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
        generator=lambda fake: (fake - 1).square().mean(),
    ),
}


def discriminator_loss(
    real: Float[Tensor, "B 1 h w"], fake: Float[Tensor, "b 1 h w"], kind: Adversarial
) -> Float[Tensor, ""]:
    """L_adv as the discriminator sees it: how badly it tells style patches from collages.

    Args:
        real: its logits of style patches.
        fake: its logits of the generator's outputs.
        kind: of loss, see ADVERSARIAL.
    """
    return ADVERSARIAL[kind].discriminator(real.float(), fake.float())


def adversarial(fake: Float[Tensor, "B 1 h w"], kind: Adversarial) -> Float[Tensor, ""]:
    """L_adv as the generator sees it: how little the discriminator takes its outputs for style patches."""
    return ADVERSARIAL[kind].generator(fake.float())


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], style: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """R1: half the squared gradient of the logits at real patches (Mescheder et al. 2018), per logit."""
    style = style.detach().requires_grad_()
    logits = discriminator(style)
    (slope,) = torch.autograd.grad(logits.sum(), style, create_graph=True)
    return slope.square().sum() / (2 * logits.numel())


def _cells(image: Tensor, cell_px: int) -> Tensor:
    """Means over squares of cell_px pixels; squares at the right and lower edges may be smaller."""
    return F.avg_pool2d(image, cell_px, ceil_mode=True)


def _edges(image: Tensor, cell_px: int) -> Tensor:
    """The change of luminance from each cell to the next one down and right: [B 2 h w]."""
    cells = _cells(luminance(image), cell_px)
    down = F.pad(cells[:, :, 1:] - cells[:, :, :-1], (0, 0, 0, 1))
    right = F.pad(cells[..., 1:] - cells[..., :-1], (0, 1))
    return torch.cat([down, right], 1)


CONTENT_FEATURES: dict[ContentFeatures, Callable[[Tensor, int], Tensor]] = {
    "luminance": lambda image, cell_px: _cells(luminance(image), cell_px),
    "rgb": _cells,
    "edges": _edges,
}
"""phi: which features of a picture have to resemble the content's, from [B 3 H W] and the side of a cell in pixels."""


def content_distance(
    image: Float[Tensor, "B 3 H W"],
    content: Float[Tensor, "B 3 H W"],
    cell_px: int,
    features: ContentFeatures = "luminance",
) -> Float[Tensor, ""]:
    """L_content: mean square difference of phi(image) and phi(content).

    Args:
        image: the picture that is judged.
        content: I_C.
        cell_px: side of the squares over which features are averaged, in pixels.
        features: phi, see CONTENT_FEATURES.
    """
    phi = CONTENT_FEATURES[features]
    return F.mse_loss(phi(image, cell_px), phi(content, cell_px))


def entropy(weights: Float[Tensor, "B K H W"]) -> Float[Tensor, ""]:
    """L_E: mean entropy of A over the pixels, in nats: 0 (one template at each pixel) to ln K."""
    floor = torch.finfo(torch.float32).tiny  # a weight that underflowed to 0 must not have an infinite slope
    return -(weights * weights.clamp_min(floor).log()).sum(1).mean()


def total_variation(weights: Float[Tensor, "B K H W"]) -> Float[Tensor, ""]:
    """L_TV: mean over the pixels of the change of A to the next pixel down and right, summed over K."""
    down = (weights[:, :, 1:] - weights[:, :, :-1]).abs().sum(1).mean()
    right = (weights[..., 1:] - weights[..., :-1]).abs().sum(1).mean()
    return down + right


def max_share(weights: Float[Tensor, "B K H W"]) -> Float[Tensor, ""]:
    """L_M: the largest template's share of the picture, 1/K to 1, averaged over the batch."""
    return weights.mean((2, 3)).amax(1).mean()


def drift(image: Float[Tensor, "B 3 H W"], collage: Float[Tensor, "B 3 H W"], cell_px: int) -> Float[Tensor, ""]:
    """L_D: mean square difference of output and collage in the colours of cells. It has no gradient for the collage."""
    return content_distance(image, collage.detach(), cell_px, "rgb")


@dataclass(frozen=True, slots=True)
class TermInputs:
    """What the terms of the generator's objective are computed from."""

    collage: Collage
    """The generator's result."""
    content: Float[Tensor, "B 3 H W"] | None
    """I_C; None for an unguided generator."""
    logits: Float[Tensor, "B 1 h w"]
    """The discriminator's logits of the output."""
    config: LossConfig


def _content_term(inputs: TermInputs) -> Tensor | None:
    """L_content of the output, of the collage, or their sum, as content_on says."""
    if inputs.content is None:
        return None
    output, collage = inputs.collage.image, inputs.collage.collage
    pictures = {"output": [output], "collage": [collage], "both": [output, collage]}[inputs.config.content_on]
    cell_px, features = inputs.config.content_cell_px, inputs.config.content_features
    return torch.stack([content_distance(picture, inputs.content, cell_px, features) for picture in pictures]).sum()


def _painted_share_term(inputs: TermInputs) -> Tensor | None:
    """Mean alpha, where there is one."""
    return None if inputs.collage.painted is None else inputs.collage.painted.mean()


def _drift_term(inputs: TermInputs) -> Tensor | None:
    """L_D, where the output was painted over a collage."""
    result = inputs.collage
    return drift(result.image, result.collage, inputs.config.content_cell_px) if result.painted_over else None


TERMS: dict[str, Callable[[TermInputs], Tensor | None]] = {
    "adversarial": lambda inputs: adversarial(inputs.logits, inputs.config.adversarial),
    "entropy": lambda inputs: entropy(inputs.collage.weights),
    "total_variation": lambda inputs: total_variation(inputs.collage.weights),
    "max_share": lambda inputs: max_share(inputs.collage.weights),
    "content": _content_term,
    "painted_share": _painted_share_term,
    "drift": _drift_term,
}
"""The terms of the generator's objective, in the order in which they are added; None where a term does not apply.

The weight of each is the field of LossConfig that has its name. Only the adversarial term has none: it counts once.
"""


def generator_terms(
    collage: Collage,
    content: Float[Tensor, "B 3 H W"] | None,
    logits: Float[Tensor, "B 1 h w"],
    config: LossConfig,
) -> dict[str, Tensor]:
    """The terms that apply, by name, without their weights.

    Args:
        collage: the generator's result.
        content: I_C; None for an unguided generator.
        logits: the discriminator's logits of the output.
        config: which kinds of terms.
    """
    inputs = TermInputs(collage, content, logits, config)
    terms = {name: term(inputs) for name, term in TERMS.items()}
    return {name: value for name, value in terms.items() if value is not None}


def generator_loss(terms: dict[str, Tensor], config: LossConfig) -> Tensor:
    """The sum of the terms with their weights.

    L_adv + lambda_C L_content + lambda_E L_E + lambda_TV L_TV + lambda_M L_M and, where they apply,
    + lambda_alpha mean alpha + lambda_D L_D.
    """
    total = terms["adversarial"]
    for name, term in terms.items():
        if name != "adversarial":
            total = total + getattr(config, name) * term
    return total
