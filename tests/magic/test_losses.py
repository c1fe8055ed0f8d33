import math

import pytest
import torch

from magic.config import LossConfig
from magic.losses import adversarial, content_distance, entropy, generator_loss, luminance, max_share, total_variation


def test_cross_entropy_of_undecided_logits_is_ln_2():
    assert adversarial(torch.zeros(2, 1, 3, 3), real=True).item() == pytest.approx(math.log(2))
    assert adversarial(torch.full((1, 1, 1, 1), 2.0), real=False).item() == pytest.approx(math.log(1 + math.exp(2)))


def test_luminance_weighs_green_most():
    assert luminance(torch.eye(3).view(3, 3, 1, 1)).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])


def test_content_distance_sees_cells_and_not_texture():
    content = torch.zeros(1, 3, 16, 16)
    checks = torch.ones(16, 16)
    checks[::2, ::2] = checks[1::2, 1::2] = -1.0
    assert content_distance(checks.expand(1, 3, 16, 16), content, 8).item() == pytest.approx(0.0, abs=1e-6)
    half = content.clone()
    half[..., :8] = 1.0
    assert content_distance(half, content, 8).item() == pytest.approx(0.5)


def test_entropy_from_none_to_ln_k():
    assert entropy(torch.full((1, 4, 2, 2), 0.25)).item() == pytest.approx(math.log(4))
    decided = torch.zeros(1, 4, 2, 2)
    decided[:, 1] = 1.0
    decided.requires_grad_()
    value = entropy(decided)
    value.backward()
    assert value.item() == pytest.approx(0.0)
    assert torch.isfinite(decided.grad).all()  # weights that underflow to zero happen


def test_total_variation_counts_changes():
    weights = torch.zeros(1, 2, 2, 4)
    weights[:, 0, :, :2] = 1.0
    weights[:, 1, :, 2:] = 1.0
    # one of three horizontal neighbours changes, in both planes by 1; none vertically
    assert total_variation(weights).item() == pytest.approx(2 / 3)


def test_max_share_is_the_largest_template():
    weights = torch.zeros(2, 2, 1, 4)
    weights[0, 0, :, :3], weights[0, 1, :, 3:] = 1.0, 1.0
    weights[1, 1] = 1.0
    assert max_share(weights).item() == pytest.approx((0.75 + 1.0) / 2)


def test_the_weights_of_the_sum():
    names = ("adversarial", "content", "entropy", "total_variation", "max_share")
    terms = {name: torch.tensor(10.0**i) for i, name in enumerate(names)}
    config = LossConfig(content=2.0, entropy=3.0, total_variation=4.0, max_share=5.0)
    assert generator_loss(terms, config).item() == pytest.approx(54321)
