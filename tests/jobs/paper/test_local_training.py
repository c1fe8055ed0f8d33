"""A local training goes on where it stopped, in a folder of its own, and as fast as any other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from jobs.paper import local_training
from jobs.paper.local_training import train_here, train_run
from magic.scene.memory import PictureList
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from tests.conftest import memory_set, random_generator, textured
from tests.jobs.paper.tiny_run import TINY


@pytest.fixture
def style():
    return PictureList([textured(np.random.default_rng(0), 50, 70)])


def weights(state):
    return torch.cat([p.detach().flatten() for p in state.average.parameters()])


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path):
    rng = np.random.default_rng(0)
    content, style = PictureList([textured(rng, 60, 60)]), PictureList([textured(rng, 50, 70)])
    through = train_here(TINY, content, style, tmp_path / "through", seconds=1e9)
    train_here(replace(TINY, steps=4), content, style, tmp_path / "stopped", seconds=1e9)
    (tmp_path / "stopped" / "unfinished").mkdir()  # killed while a checkpoint was written
    resumed = train_here(TINY, content, style, tmp_path / "stopped", seconds=1e9)
    assert resumed.step == through.step == 6
    assert torch.equal(weights(resumed), weights(through))
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["step-00000006"]


def test_time_counts_over_restarts(style, tmp_path):
    endless = replace(TINY, steps=100_000, generator=replace(TINY.generator, guided=False))
    first = train_here(endless, None, style, tmp_path, seconds=1.0)
    again = train_here(endless, None, style, tmp_path, seconds=1.0)
    assert 0 < first.step == again.step


def test_a_folder_of_other_settings_is_refused(style, tmp_path):
    run = replace(TINY, generator=replace(TINY.generator, guided=False))
    train_run(run, None, style, tmp_path, seconds=1e9)
    train_run(run, None, style, tmp_path, seconds=1e9)
    other = replace(run, generator=replace(run.generator, refine="blend"))
    with pytest.raises(ValueError, match=r"differs in run\.generator\.refine"):
        train_run(other, None, style, tmp_path, seconds=1e9)


def test_every_run_trains_with_the_same_kernels(monkeypatch, style, tmp_path):
    """Whatever was painted before."""
    switches = []

    def train(*args, **kwargs):
        cudnn = torch.backends.cudnn
        switches.append((cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))

    monkeypatch.setattr(local_training, "train_here", train)
    generator = random_generator(2, guided=False)
    for _ in range(2):
        train_run(TINY, None, style, tmp_path, seconds=1.0)
        scene = Scene(None, memory_set(list(style.pictures), 1, seed=0), plan_canvas(generator, 8, 8))
        TileRenderer(generator, scene, torch.device("cpu"))
    assert switches == [(True, False, True, False)] * 2
