"""The terms of the training objective (section 3). Each is a mean, so its weight does not depend on sizes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from magic.config import LossConfig
from magic.generator import Collage

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def adversarial(logits: Float[Tensor, "B 1 h w"], *, real: bool) -> Float[Tensor, ""]:
    """L_adv: cross-entropy of the discriminator's logits against one label (Goodfellow et al. 2014)."""
    target = torch.full_like(logits, float(real), dtype=torch.float32)
    return F.binary_cross_entropy_with_logits(logits.float(), target)


def luminance(image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Luma of an RGB picture, in the picture's own range."""
    weights = torch.tensor(LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def content_distance(
    image: Float[Tensor, "B 3 H W"], content: Float[Tensor, "B 3 H W"], cell_px: int
) -> Float[Tensor, ""]:
    """L_content: mean square difference of luminance, averaged over cells of cell_px pixels beforehand."""
    small, wanted = (F.avg_pool2d(luminance(x), cell_px, ceil_mode=True) for x in (image, content))
    return F.mse_loss(small, wanted)


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


def generator_terms(
    made: Collage,
    content: Float[Tensor, "B 3 H W"],
    logits: Float[Tensor, "B 1 h w"],
    config: LossConfig,
) -> dict[str, Tensor]:
    """All five terms, unweighted, by name."""
    painted = made.image if config.content_on == "output" else made.collage
    return {
        "adversarial": adversarial(logits, real=True),
        "content": content_distance(painted, content, config.content_cell_px),
        "entropy": entropy(made.weights),
        "total_variation": total_variation(made.weights),
        "max_share": max_share(made.weights),
    }


def generator_loss(terms: dict[str, Tensor], config: LossConfig) -> Tensor:
    """L_adv + lambda_C L_content + lambda_E L_E + lambda_TV L_TV + lambda_M L_M."""
    return (
        terms["adversarial"]
        + config.content * terms["content"]
        + config.entropy * terms["entropy"]
        + config.total_variation * terms["total_variation"]
        + config.max_share * terms["max_share"]
    )
