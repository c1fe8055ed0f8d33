"""The terms of the training objective (section 3). Each is a mean, so its weight does not depend on sizes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from magic.hyperparameters import Adversarial, ContentFeatures, LossConfig
from magic.networks.generator import Collage
from magic.pixels import luminance


def discriminator_loss(
    real: Float[Tensor, "B 1 h w"], fake: Float[Tensor, "b 1 h w"], kind: Adversarial
) -> Float[Tensor, ""]:
    """L_adv as the discriminator sees it: its logits of style patches against those of what was made."""
    real, fake = real.float(), fake.float()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "least_squares":
        return (real - 1).square().mean() + fake.square().mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()  # cross-entropy of the logits (Goodfellow et al. 2014)


def adversarial(fake: Float[Tensor, "B 1 h w"], kind: Adversarial) -> Float[Tensor, ""]:
    """L_adv as the generator sees it: how little its output is taken for style."""
    fake = fake.float()
    if kind == "hinge":
        return -fake.mean()
    if kind == "least_squares":
        return (fake - 1).square().mean()
    return F.softplus(-fake).mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], style: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """R1: half the squared gradient of the logits at real patches (Mescheder et al. 2018), per logit."""
    style = style.detach().requires_grad_()
    logits = discriminator(style)
    (slope,) = torch.autograd.grad(logits.sum(), style, create_graph=True)
    return slope.square().sum() / (2 * logits.numel())


def _cells(image: Tensor, cell_px: int) -> Tensor:
    return F.avg_pool2d(image, cell_px, ceil_mode=True)


def _edges(image: Tensor, cell_px: int) -> Tensor:
    cells = _cells(luminance(image), cell_px)
    down = F.pad(cells[:, :, 1:] - cells[:, :, :-1], (0, 0, 0, 1))
    right = F.pad(cells[..., 1:] - cells[..., :-1], (0, 1))
    return torch.cat([down, right], 1)


CONTENT_FEATURES: dict[ContentFeatures, Callable[[Tensor, int], Tensor]] = {
    "luminance": lambda image, cell_px: _cells(luminance(image), cell_px),
    "rgb": _cells,
    "edges": _edges,
}
"""phi: what of a picture has to resemble the content, from [B 3 H W] and the side of the cells. Add others here."""


def content_distance(
    image: Float[Tensor, "B 3 H W"],
    content: Float[Tensor, "B 3 H W"],
    cell_px: int,
    features: ContentFeatures = "luminance",
) -> Float[Tensor, ""]:
    """L_content: mean square difference of phi(image) and phi(content)."""
    phi = CONTENT_FEATURES[features]
    return F.mse_loss(phi(image, cell_px), phi(content, cell_px))


def entropy(weights: Float[Tensor, "B K H W"]) -> Float[Tensor, ""]:
    """L_E: mean entropy of A over the pixels, in nats; 0 where one template has everything."""
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
    """L_D: mean square difference of the cells' colours. The collage is not drawn to the output."""
    return content_distance(image, collage.detach(), cell_px, "rgb")


def generator_terms(
    made: Collage,
    content: Float[Tensor, "B 3 H W"] | None,
    logits: Float[Tensor, "B 1 h w"],
    config: LossConfig,
) -> dict[str, Tensor]:
    """All terms that apply, unweighted, by name."""
    terms = {
        "adversarial": adversarial(logits, config.adversarial),
        "entropy": entropy(made.weights),
        "total_variation": total_variation(made.weights),
        "max_share": max_share(made.weights),
    }
    if content is not None:
        judged = {"output": [made.image], "collage": [made.collage], "both": [made.image, made.collage]}
        distances = [
            content_distance(picture, content, config.content_cell_px, config.content_features)
            for picture in judged[config.content_on]
        ]
        terms["content"] = torch.stack(distances).sum()
    if made.painted is not None:
        terms["painted_share"] = made.painted.mean()
    if made.image is not made.collage:
        terms["drift"] = drift(made.image, made.collage, config.content_cell_px)
    return terms


def generator_loss(terms: dict[str, Tensor], config: LossConfig) -> Tensor:
    """L_adv + lambda_C L_content + lambda_E L_E + lambda_TV L_TV + lambda_M L_M, and where they apply
    + lambda_alpha mean alpha + lambda_D L_D.
    """
    total = terms["adversarial"]
    for name, term in terms.items():
        if name != "adversarial":
            total = total + getattr(config, name) * term
    return total
