"""What only a GPU can show: pytest tests/magic/test_gpu.py on a machine with one."""

import numpy as np
import pytest
import torch

from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from magic.networks.set_attention import SetAttention
from magic.pixels import LEVELS_PER_UNIT
from magic.scene.content import Content
from magic.scene.reference import render_tiled, render_whole
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from magic.training.checkpoint import load_state, save_state
from magic.training.step import new_state, train_step
from tests.conftest import memory_set, random_generator, textured
from tests.magic.training.test_step import batch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
GPU = torch.device("cuda")


def fresh(precision, losses=None, *, spectral_norm=False, **generator):
    torch.manual_seed(0)
    return new_state(
        GeneratorConfig(channels=8, depth=2, heads=1, **generator),
        DiscriminatorConfig(channels=8, depth=3, spectral_norm=spectral_norm),
        losses or LossConfig(),
        OptimizerConfig(learning_rate=2e-3, precision=precision),
        device=GPU,
    )


def test_fp16_with_loss_scaling_is_the_default_and_learns():
    state = fresh(None)
    assert state.precision == "fp16"
    assert state.scaler.is_enabled()
    terms = [train_step(state, batch(0)) for _ in range(60)]
    assert all(torch.isfinite(value) for value in terms[-1].values())
    assert terms[-1]["loss/content"] < 0.7 * terms[0]["loss/content"]


@pytest.mark.parametrize("warp", ["affine", "flow"])
def test_the_gradient_penalty_and_warps_learn_in_fp16(warp):
    state = fresh("fp16", LossConfig(r1=1.0, adversarial="hinge"), warp=warp, refine="blend", inducing_points=4)
    terms = [train_step(state, batch(0)) for _ in range(60)]
    assert all(torch.isfinite(value) for value in terms[-1].values())
    assert terms[-1]["loss/content"] < 0.7 * terms[0]["loss/content"]


def test_spectral_norm_learns_in_fp16():
    state = fresh("fp16", spectral_norm=True)
    terms = [train_step(state, batch(0)) for _ in range(60)]
    assert all(torch.isfinite(value) for value in terms[-1].values())
    assert terms[-1]["loss/content"] < 0.7 * terms[0]["loss/content"]


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_a_saved_state_goes_on_in_any_precision(tmp_path, precision):
    first = fresh("fp16")
    train_step(first, batch(0))
    save_state(tmp_path, first)
    second = fresh(precision)
    load_state(tmp_path, second)
    assert torch.isfinite(train_step(second, batch(1))["loss/generator"])
    assert second.step == 2


@pytest.mark.parametrize("warp", ["none", "affine", "flow"])
def test_tiles_equal_the_whole_pass(warp):
    rng = np.random.default_rng(0)
    generator = random_generator(3, warp=warp)
    canvas = plan_canvas(generator, 130, 171)
    memory = memory_set([textured(rng, 60, 80)], 3, seed=0)
    renderer = TileRenderer(generator, Scene(Content.of(textured(rng, 130, 171)), memory, canvas), GPU)
    painted, _ = render_tiled(renderer, plan_grid(generator, canvas, 64))
    error = np.abs(painted.output - render_whole(renderer).output) * LEVELS_PER_UNIT
    assert error.mean() <= 0.001
    assert error.max() <= 0.02


@pytest.mark.parametrize("points", [None, 4])
def test_sets_at_more_pixels_than_a_kernel_takes(points):
    """65,536 of them in fp16, forwards and backwards; every pixel is attended to by itself."""
    torch.manual_seed(0)
    block = SetAttention(16, 2, points).to(GPU)
    features = torch.randn(2, 16, 256, 256, device=GPU)

    def attended(given):
        given = given.clone().requires_grad_()
        with torch.autocast("cuda", torch.float16):
            made = block(given, 2)
        made.float().square().sum().backward()
        return made.detach(), given.grad

    for whole, part in zip(attended(features), attended(features[:, :, 200:]), strict=True):
        assert torch.allclose(whole[:, :, 200:].float(), part.float(), atol=0.02)
