import numpy as np
import pytest
import torch

from magic.batch import Batch, from_uint8, to_uint8
from magic.checkpoint import CONFIG, WEIGHTS, Packed, load_state, save_state, unpack_generator
from magic.config import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from magic.step import new_state, train_step
from tests.conftest import textured

CPU = torch.device("cpu")


def fresh(**optimizer):
    torch.manual_seed(0)
    return new_state(
        GeneratorConfig(channels=4, depth=2, heads=1),
        DiscriminatorConfig(channels=4, depth=3),
        LossConfig(),
        OptimizerConfig(learning_rate=2e-3, **optimizer),
        device=CPU,
    )


def batch(number, k=3):
    rng = np.random.default_rng(number)
    patches = [torch.from_numpy(textured(rng, 32, 32)).permute(2, 0, 1) for _ in range(2 * (k + 2))]
    content, style, *templates = torch.stack(patches).split(2)
    return Batch(content=content, templates=torch.stack(templates, 1), style=style)


def parameters(state):
    return torch.cat([p.detach().flatten() for n in (state.generator, state.discriminator) for p in n.parameters()])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_bring_the_content_closer(precision):
    state = fresh(precision=precision)
    terms = [train_step(state, batch(0)) for _ in range(40)]
    assert state.step == 40
    assert all(torch.isfinite(value) for step in terms for value in step.values())
    assert terms[-1]["loss/content"] < 0.7 * terms[0]["loss/content"]
    assert set(terms[0]) == {
        f"loss/{name}"
        for name in ["adversarial", "content", "entropy", "total_variation", "max_share", "generator", "discriminator"]
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
    again = fresh()
    again.losses = LossConfig(content=0.0, entropy=0.0, total_variation=0.0, max_share=0.0)
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


def test_a_saved_generator_comes_back_and_a_damaged_one_does_not(tmp_path):
    state = fresh()
    save_state(tmp_path, state)
    packed = Packed((tmp_path / CONFIG).read_text(), (tmp_path / WEIGHTS).read_bytes())
    loaded = unpack_generator(packed)
    assert loaded.config == state.generator.config
    for one, other in zip(loaded.parameters(), state.generator.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="undamaged model"):
        unpack_generator(packed._replace(weights=packed.weights[:-5]))
    with pytest.raises(ValueError, match="undamaged model"):
        unpack_generator(packed._replace(config="{}"))


def test_levels_survive_the_way_to_the_model_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(levels)), levels)
    assert to_uint8(torch.tensor([-1.5, 1.5])).tolist() == [0, 255]
