import math
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
import torch

from magic.hyperparameters import Adversarial, ContentFeatures, LossConfig
from magic.networks.generator import Collage
from magic.networks.norm import complete
from magic.pixels import LUMA, luminance
from magic.training.losses import (
    ADVERSARIAL,
    CONTENT_FEATURES,
    TERMS,
    adversarial,
    content_distance,
    discriminator_loss,
    drift,
    entropy,
    generator_loss,
    generator_terms,
    gradient_penalty,
    max_share,
    total_variation,
)
from tests.conftest import random_generator


def logits(*values):
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


# by hand, for real logits (2, -1) and fake logits (0.5, -3)
HAND = {
    "cross_entropy": (
        (math.log1p(math.exp(-2)) + math.log1p(math.exp(1)) + math.log1p(math.exp(0.5)) + math.log1p(math.exp(-3))) / 2,
        (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(3))) / 2,
    ),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, 1.25),
    "least_squares": ((1 + 4) / 2 + (0.25 + 9) / 2, (0.25 + 16) / 2),
}


def test_every_kind_that_can_be_chosen_is_registered_and_checked_by_hand():
    assert set(ADVERSARIAL) == set(get_args(Adversarial)) == set(HAND)
    assert set(CONTENT_FEATURES) == set(get_args(ContentFeatures))


def test_every_term_has_a_weight_and_every_weight_a_term():
    hints = get_type_hints(LossConfig)
    weights = {field.name for field in fields(LossConfig) if hints[field.name] is float}
    of_the_discriminator = {"r1"}
    assert weights - of_the_discriminator == TERMS.keys() - {"adversarial"}


@pytest.mark.parametrize("kind", HAND)
def test_adversarial_terms_by_hand(kind):
    real, fake = logits(2, -1), logits(0.5, -3)
    assert discriminator_loss(real, fake, kind).item() == pytest.approx(HAND[kind][0])
    assert adversarial(fake, kind).item() == pytest.approx(HAND[kind][1])


def test_cross_entropy_of_undecided_logits_is_ln_2():
    undecided = torch.zeros(2, 1, 3, 3)
    assert adversarial(undecided, "cross_entropy").item() == pytest.approx(math.log(2))
    assert discriminator_loss(undecided, undecided, "cross_entropy").item() == pytest.approx(2 * math.log(2))


def test_the_gradient_penalty_is_half_the_squared_slope():
    slope = torch.randn(3, 4, 4)
    style = torch.rand(2, 3, 4, 4)

    def linear(x):
        return (x * slope).sum((1, 2, 3)).view(-1, 1, 1, 1)

    assert gradient_penalty(linear, style).item() == pytest.approx(slope.square().sum().item() / 2, rel=1e-5)


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


def test_what_each_kind_of_content_distance_sees():
    """Of a picture 0.2 brighter, of one with other colours, and of one that is turned upside down."""
    torch.manual_seed(0)
    content = torch.rand(1, 1, 16, 16).expand(1, 3, 16, 16) * 0.5
    brighter = content + 0.2
    tinted = content + torch.tensor([0.1, 0.0, -0.1 * LUMA[0] / LUMA[2]]).view(1, 3, 1, 1)  # of equal luminance
    seen = {
        name: [content_distance(x, content, 4, name).item() for x in (content, brighter, tinted, content.flip(2))]
        for name in CONTENT_FEATURES
    }
    assert all(same == 0 and turned > 1e-3 for same, _, _, turned in seen.values())
    assert seen["luminance"][1] == pytest.approx(0.04, rel=1e-3)
    assert seen["rgb"][1] == pytest.approx(0.04, rel=1e-3)
    assert seen["edges"][1] == pytest.approx(0.0, abs=1e-9)
    assert seen["luminance"][2] == pytest.approx(0.0, abs=1e-9)
    assert seen["rgb"][2] == pytest.approx((0.01 + (0.1 * LUMA[0] / LUMA[2]) ** 2) / 3, rel=1e-3)


def test_edges_by_hand():
    half = torch.zeros(1, 3, 8, 8)
    half[..., 4:] = 1.0
    # cells of 4 px: 2x2, one step of 1 to the right in each row; two planes (down, right) of four cells
    assert content_distance(half, torch.zeros_like(half), 4, "edges").item() == pytest.approx(2 / 8)


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


def test_drift_is_the_outputs_and_asks_nothing_of_the_collage():
    collage = torch.zeros(1, 3, 8, 8, requires_grad=True)
    shift = torch.zeros(1, 3, 8, 8)
    shift[:, 0, :, :4] = 1.0  # the left half redder
    shift[:, 1, ::2], shift[:, 1, 1::2] = 0.5, -0.5  # texture
    image = shift.clone().requires_grad_()
    assert drift(image, collage, 4).item() == pytest.approx(1 / 6)  # two of four cells, in one of three channels
    assert drift(image, collage, 8).item() == pytest.approx(0.25 / 3)
    assert drift(image, collage, 1).item() == pytest.approx((0.5 + 0.25) / 3)
    drift(image, collage, 4).backward()
    assert collage.grad is None
    assert torch.allclose(image.grad[:, 0, :, :4], torch.full((1, 8, 4), 2 / (12 * 16)))
    assert (image.grad[:, 0, :, 4:] == 0).all()


def test_the_weights_of_the_sum():
    names = ("adversarial", "content", "entropy", "total_variation", "max_share", "painted_share", "drift")
    terms = {name: torch.tensor(10.0**i) for i, name in enumerate(names)}
    config = LossConfig(content=2.0, entropy=3.0, total_variation=4.0, max_share=5.0, painted_share=6.0, drift=7.0)
    assert generator_loss(terms, config).item() == pytest.approx(7654321)


def test_terms_are_those_that_apply():
    weights = torch.full((1, 2, 8, 8), 0.5)
    image = torch.zeros(1, 3, 8, 8)
    made = Collage(image, image, weights)
    always = {"adversarial", "entropy", "total_variation", "max_share"}
    judged = torch.zeros(1, 1, 1, 1)
    assert generator_terms(made, None, judged, LossConfig()).keys() == always
    assert generator_terms(made, image, judged, LossConfig()).keys() == always | {"content"}
    painted = made._replace(painted=torch.full((1, 1, 8, 8), 0.25))
    assert generator_terms(painted, image, judged, LossConfig())["painted_share"].item() == pytest.approx(0.25)
    assert "drift" not in generator_terms(painted, image, judged, LossConfig())
    refined = painted._replace(image=image + 0.5, painted_over=True)
    assert generator_terms(refined, image, judged, LossConfig())["drift"].item() == pytest.approx(0.25)


ALWAYS = {"adversarial", "entropy", "total_variation", "max_share"}
SYSTEMS = [
    ({}, {"content", "drift"}),
    ({"guided": False}, {"drift"}),
    ({"refine": "blend"}, {"content", "drift", "painted_share"}),
    ({"system": "famos", "memory_size": 2}, {"content", "drift", "painted_share"}),
    ({"system": "mosaic"}, {"content", "painted_share"}),
]


@pytest.mark.parametrize(("settings", "further"), SYSTEMS, ids=str)
def test_which_terms_apply_to_which_system(settings, further):
    generator = random_generator(2, **settings)
    content = torch.zeros(1, 3, 8, 8) if generator.config.guided else None
    collage = generator(content, torch.rand(1, 2, 3, 8, 8))
    assert collage.painted_over == ("drift" in further) == (not torch.equal(collage.image, collage.collage))
    assert generator_terms(collage, content, logits(0), LossConfig()).keys() == ALWAYS | further


def test_a_collage_that_no_refiner_follows_up_has_not_drifted():
    generator = random_generator(2)
    templates = torch.rand(1, 2, 3, 8, 8)
    collage = generator.pool(complete(generator.mix(torch.zeros(1, 3, 8, 8), templates)), templates)
    assert not collage.painted_over
    assert generator_terms(collage, None, logits(0), LossConfig()).keys() == ALWAYS


def grey(level, side=8):
    return torch.full((1, 3, side, side), level)


def content_term(image, collage, content, **settings):
    weights = torch.full((1, 2, *image.shape[2:]), 0.5)
    return generator_terms(Collage(image, collage, weights), content, logits(0), LossConfig(**settings))[
        "content"
    ].item()


@pytest.mark.parametrize(("judged", "expected"), [("output", 0.25), ("collage", 1.0), ("both", 1.25)])
def test_which_picture_has_to_resemble_the_content(judged, expected):
    """Of an output half a unit from the content and a collage a whole one."""
    assert content_term(grey(0.5), grey(1.0), grey(0.0), content_on=judged) == pytest.approx(expected)


@pytest.mark.parametrize(("cell_px", "expected"), [(8, 0.0), (4, 1.0)])
def test_content_is_compared_in_cells_of_the_side_that_is_asked_for(cell_px, expected):
    halves = grey(1.0)
    halves[..., 4:] = -1.0
    for image, collage, judged in ((halves, grey(0.0), "output"), (grey(0.0), halves, "collage")):
        term = content_term(image, collage, grey(0.0), content_on=judged, content_cell_px=cell_px)
        assert term == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("features", "expected"), [("luminance", LUMA[0] ** 2), ("rgb", 1 / 3), ("edges", 0.0)])
def test_which_features_of_the_content_have_to_be_met(features, expected):
    red = grey(0.0)
    red[:, 0] = 1.0
    assert content_term(red, grey(0.0), grey(0.0), content_features=features) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("kind", HAND)
def test_the_generators_adversarial_term_is_the_one_that_is_asked_for(kind):
    made = Collage(grey(0.0), grey(0.0), torch.full((1, 2, 8, 8), 0.5))
    terms = generator_terms(made, None, logits(0.5, -3), LossConfig(adversarial=kind))
    assert terms["adversarial"].item() == pytest.approx(HAND[kind][1])
