import numpy as np
import pytest
import torch

from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from magic.networks.packed import CONFIG, WEIGHTS, Packed, unpack_generator
from magic.pixels import from_uint8, to_uint8
from magic.training.batch import Batch
from magic.training.checkpoint import load_state, save_state
from magic.training.losses import discriminator_loss, gradient_penalty
from magic.training.step import new_state, train_step
from tests.conftest import textured

CPU = torch.device("cpu")


def fresh(losses=None, generator=None, discriminator=None, **optimizer):
    torch.manual_seed(0)
    return new_state(
        GeneratorConfig(channels=4, depth=2, **generator or {}),
        DiscriminatorConfig(channels=4, depth=3, **discriminator or {}),
        losses or LossConfig(),
        OptimizerConfig(learning_rate=2e-3, **optimizer),
        device=CPU,
    )


def batch(number, k=3):
    rng = np.random.default_rng(number)
    patches = [torch.from_numpy(textured(rng, 32, 32)).permute(2, 0, 1) for _ in range(2 * (k + 2))]
    content, style, *templates = torch.stack(patches).split(2)
    return Batch(content=content, templates=torch.stack(templates, 1), style=style)


def flat(*networks):
    return torch.cat([p.detach().flatten() for network in networks for p in network.parameters()])


def parameters(state):
    return flat(state.generator, state.average, state.discriminator)


@pytest.mark.parametrize(
    "change",
    [
        {"losses": LossConfig(adversarial="hinge", r1=1.0)},
        {"losses": LossConfig(adversarial="least_squares", content_features="edges")},
        {"losses": LossConfig(content_features="rgb"), "discriminator": {"spectral_norm": True}},
        {"generator": {"warp": "flow"}},
        {"generator": {"warp": "affine", "inducing_points": 2}},
        {"generator": {"system": "mosaic"}},
        {"generator": {"system": "famos", "memory_size": 3}, "losses": LossConfig(painted_share=1.0)},
        {"generator": {"refine": "blend"}, "losses": LossConfig(painted_share=1.0)},
    ],
)
def test_every_option_learns_saves_and_goes_on(change, tmp_path):
    state = fresh(**change)
    terms = [train_step(state, batch(0)) for _ in range(40)]
    assert all(torch.isfinite(value) for step in terms for value in step.values())
    contents = [step["loss/content"] for step in terms]
    assert min(contents) < 0.6 * contents[0]
    assert sum(contents[-10:]) / 10 < 0.85 * contents[0]  # single steps rise again, while the discriminator learns
    assert ("loss/r1" in terms[8]) == (state.losses.r1 > 0)
    assert "loss/r1" not in terms[7]
    save_state(tmp_path, state)
    again = fresh(**change)
    load_state(tmp_path, again)
    assert torch.equal(parameters(again), parameters(state))


def test_unguided_steps_take_any_number_of_templates():
    state = fresh(generator={"guided": False})
    for k in (2, 5, 1):
        terms = train_step(state, batch(0, k)._replace(content=None))
        assert "loss/content" not in terms
    with pytest.raises(ValueError, match="unguided"):
        train_step(state, batch(0))


def test_the_average_is_the_running_mean_of_the_generator():
    state = fresh(ema_decay=0.15)  # below the warm-up from the first step on that is compared
    train_step(state, batch(0))
    before = flat(state.average)
    train_step(state, batch(1))
    expected = 0.15 * before + 0.85 * flat(state.generator)
    assert torch.allclose(flat(state.average), expected, atol=1e-6)
    off = fresh(ema_decay=0.0)
    train_step(off, batch(0))
    assert torch.equal(flat(off.average), flat(off.generator))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_bring_the_content_closer(precision):
    state = fresh(precision=precision)
    terms = [train_step(state, batch(0)) for _ in range(40)]
    assert state.step == 40
    assert all(torch.isfinite(value) for step in terms for value in step.values())
    assert terms[-1]["loss/content"] < 0.7 * terms[0]["loss/content"]
    assert set(terms[0]) == {
        f"loss/{name}"
        for name in [
            "adversarial",
            "content",
            "entropy",
            "total_variation",
            "max_share",
            "drift",
            "generator",
            "discriminator",
        ]
    }


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="fp32 or bf16 on a CPU"):
        fresh(precision="fp16")


def test_the_generators_update_leaves_no_gradient_in_the_discriminator():
    state = fresh()
    train_step(state, batch(0))
    gradients = [p.grad.clone() for p in state.discriminator.parameters()]
    assert all(p.requires_grad for p in state.discriminator.parameters())
    torch.manual_seed(0)
    again = fresh(LossConfig(content=0.0, entropy=0.0, total_variation=0.0, max_share=0.0))
    train_step(again, batch(0))
    for one, other in zip(gradients, again.discriminator.parameters(), strict=True):
        assert torch.equal(one, other.grad)


def test_a_saved_state_goes_on_as_if_nothing_had_been(tmp_path):
    through = fresh()
    for number in range(6):
        train_step(through, batch(number))
    first = fresh()
    for number in range(3):
        train_step(first, batch(number))
    save_state(tmp_path, first)
    second = fresh()
    load_state(tmp_path, second)
    assert second.step == 3
    for number in range(3, 6):
        train_step(second, batch(number))
    assert torch.equal(parameters(second), parameters(through))


def test_the_averaged_generator_is_saved_and_a_damaged_one_is_refused(tmp_path):
    state = fresh()
    train_step(state, batch(0))
    save_state(tmp_path, state)
    packed = Packed((tmp_path / CONFIG).read_text(), (tmp_path / WEIGHTS).read_bytes())
    loaded = unpack_generator(packed)
    assert loaded.config == state.generator.config
    for one, other in zip(loaded.parameters(), state.average.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match=r"expected undamaged weights in generator\.safetensors, got: "):
        unpack_generator(packed._replace(weights=packed.weights[:-5]))
    with pytest.raises(ValueError, match=r"model format 2 in generator\.json, got None"):
        unpack_generator(packed._replace(config="{}"))


def test_levels_survive_the_way_to_the_model_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(levels)), levels)
    assert to_uint8(torch.tensor([-1.5, 1.5])).tolist() == [0, 255]


@pytest.mark.parametrize(("step", "weight"), [(0, 8 * 0.5), (1, 0.0), (8, 8 * 0.5)])
def test_r1_is_a_part_of_the_discriminators_gradient_in_every_eighth_step(step, weight):
    state, by_hand = fresh(LossConfig(r1=0.5)), fresh(LossConfig(r1=0.5))
    state.step = step
    train_step(state, batch(0))
    templates, style, content = batch(0).normalised()
    judge = by_hand.discriminator
    made = by_hand.generator(content, templates).image.detach()
    real, fake = judge(torch.cat([style, made])).split(2)
    loss = discriminator_loss(real, fake, "cross_entropy") + weight * gradient_penalty(judge, style)
    loss.backward()
    for got, expected in zip(state.discriminator.parameters(), judge.parameters(), strict=True):
        assert torch.allclose(got.grad, expected.grad, rtol=1e-4, atol=1e-6)
