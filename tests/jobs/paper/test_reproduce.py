"""Local training goes on where it stopped; a figure ends in a sheet and a table."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.paper import figures, reproduce
from jobs.paper.local_training import train_here
from jobs.settings.measure_config import FigureName, ReproduceConfig
from jobs.settings.training_config import TrainConfig
from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig
from magic.measures.fidelity import content_fidelity
from magic.networks.baselines import build_generator
from magic.scene.memory import PictureList
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from pipelines.pictures.settings import CropConfig
from tests.conftest import memory_set, random_generator, textured

TINY = TrainConfig(
    name="tiny",
    steps=6,
    crops=CropConfig(patch_px=32, num_templates=2, batch_size=1),
    generator=GeneratorConfig(channels=4, depth=2, heads=1),
    discriminator=DiscriminatorConfig(channels=4, depth=3),
)


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


def test_time_counts_over_restarts(tmp_path):
    style = PictureList([textured(np.random.default_rng(0), 50, 70)])
    endless = replace(TINY, steps=100_000, generator=replace(TINY.generator, guided=False))
    first = train_here(endless, None, style, tmp_path, seconds=1.0)
    again = train_here(endless, None, style, tmp_path, seconds=1.0)
    assert 0 < first.step == again.step


@pytest.mark.parametrize("name", ["fig2", "fig7", "fig8", "fig9"])
def test_a_figure_is_a_sheet_and_a_table(name, tmp_path, monkeypatch):
    """With every run's networks and crops made tiny; everything else is as it is."""
    data = tmp_path / "data"
    rng = np.random.default_rng(0)
    for file, size in {
        "archimboldo.jpg": (150, 120),
        "milano/a.png": (130, 140),
        "milano/b.png": (130, 170),
        "published/famos_convolutional.jpg": (150, 120),
        "published/famos_hybrid.jpg": (150, 120),
    }.items():
        (data / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(textured(rng, *size)).save(data / file)

    def tiny(run):
        small = replace(run.generator, channels=4, depth=2)
        crops = replace(run.crops, patch_px=32, batch_size=1)
        content = replace(run.content, scale=0.25) if name in ("fig7", "fig8") else run.content
        style = replace(run.style, square_px=32) if name == "fig2" else run.style
        opponent = DiscriminatorConfig(channels=4, depth=3)
        return replace(run, generator=small, crops=crops, discriminator=opponent, content=content, style=style, steps=2)

    def shrunk(*args):
        plan = figures.figure(*args)
        return replace(plan, runs={label: tiny(run) for label, run in plan.runs.items()})

    monkeypatch.setattr(reproduce, "figure", shrunk)
    monkeypatch.setattr(figures, "TRAININGS", 2)
    monkeypatch.setattr(reproduce, "TRAINING_FACES", 12)
    monkeypatch.setattr(reproduce, "HELD_OUT_FACES", 4)
    monkeypatch.setattr(reproduce, "MOST_FACES", 16)
    written = reproduce.reproduce(
        ReproduceConfig(figure=name, data=str(data), out=str(tmp_path / "out"), results=str(tmp_path / "results"))
    )
    text = written.read_text()
    columns = {
        "fig2": ["K = 2", "K = 12"],
        "fig7": ["lambda_E = 0.5", "lambda_E = 5"],
        "fig8": ["lambda_TV = 1", "lambda_TV = 100"],
        "fig9": ["convolutional mosaic", "FAMOS hybrid", "MAGIC", "published FAMOS"],
    }[name]
    assert all(column in text for column in [*columns, "style_distance", "entropy"])
    assert ("half as long as the published ones" in text) == (name == "fig9")
    assert ("means over 4 memory sets" in text) == (name != "fig2")
    trainings = {"fig2": 1, "fig7": 2, "fig8": 2, "fig9": 6}[name]
    assert f"trainings: {trainings}, " in text
    assert ("trained 2 times" in text) == ("style_distance, seed 1" in text) == (name == "fig9")
    assert Image.open(written.with_suffix(".jpg")).width > 500


def test_a_folder_of_other_settings_is_refused(tmp_path):
    style = PictureList([textured(np.random.default_rng(0), 50, 70)])
    run = replace(TINY, generator=replace(TINY.generator, guided=False))
    reproduce.trained(run, None, style, tmp_path, 1e9)
    reproduce.trained(run, None, style, tmp_path, 1e9)
    with pytest.raises(ValueError, match=r"differs in generator\.refine"):
        reproduce.trained(replace(run, generator=replace(run.generator, refine="blend")), None, style, tmp_path, 1e9)


def test_missing_pictures_are_told_before_any_training(pictures, tmp_path):
    def run(**settings):
        reproduce.reproduce(ReproduceConfig(out=str(tmp_path / "o"), **settings))

    with pytest.raises(ValueError, match="pictures at"):
        run(figure="fig2", faces=str(tmp_path))
    with pytest.raises(ValueError, match="at least 76 pictures of faces, got 3"):
        run(figure="fig2", faces=str(pictures / "style"))
    (tmp_path / "milano").mkdir()
    Image.open(pictures / "style" / "0.png").save(tmp_path / "milano" / "a.png")
    Image.open(pictures / "style" / "0.png").save(tmp_path / "archimboldo.jpg")
    with pytest.raises(ValueError, match=r"pictures at .*published"):
        run(figure="fig9", data=str(tmp_path))
    assert not (tmp_path / "o").exists()


def test_every_run_trains_with_the_same_kernels(monkeypatch, tmp_path):
    """Whatever was painted before."""
    seen = []

    def train(*args, **kwargs):
        cudnn = torch.backends.cudnn
        seen.append((cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))

    monkeypatch.setattr(reproduce, "train_here", train)
    generator = random_generator(2, guided=False)
    style = PictureList([textured(np.random.default_rng(0), 50, 70)])
    for _ in range(2):
        reproduce.trained(TINY, None, style, tmp_path, 1.0)
        scene = Scene(None, memory_set(list(style.pictures), 1, seed=0), plan_canvas(generator, 8, 8))
        TileRenderer(generator, scene, torch.device("cpu"))
    assert seen == [(True, False, True, False)] * 2


def test_pictures_are_measured_against_the_content_as_it_is():
    rng = np.random.default_rng(0)
    content, style = textured(rng, 60, 60), PictureList([textured(rng, 50, 70)])
    state = SimpleNamespace(average=random_generator(2), device=torch.device("cpu"), step=0)
    given = reproduce.Given(PictureList([content]), PictureList([255 - content]), style)
    memory = memory_set(list(style.pictures), 2, seed=1)
    made = reproduce.paint_memory(state, memory, given)
    output = made.panels[0].picture
    assert made.row["content_correlation_8px"] == content_fidelity(output, content, 8).correlation
    turned = reproduce.paint_memory(state, memory, given._replace(painted=given.content))
    assert not np.array_equal(turned.panels[0].picture, output)


def test_measures_are_means_over_several_memory_sets():
    rng = np.random.default_rng(0)
    content, style = PictureList([textured(rng, 60, 60)]), PictureList([textured(rng, 50, 70)])
    state = SimpleNamespace(average=random_generator(2), device=torch.device("cpu"), step=7)
    given = reproduce.Given(content, content, style)
    each = [reproduce.paint_memory(state, memory_set(list(style.pictures), 2, seed=n), given) for n in range(1, 5)]
    made = reproduce.paint_content(state, TINY, given, 2)
    distances = [painted.row["style_distance"] for painted in each]
    assert made.row["style_distance"] == pytest.approx(np.mean(distances))
    assert len(set(distances)) == 4
    assert made.row["steps"] == 7
    assert np.array_equal(made.panels[0].picture, each[0].panels[0].picture)


def test_trainings_from_other_seeds_are_listed_one_by_one():
    panels = [np.zeros((2, 2, 3)), np.ones((2, 2, 3))]
    rows = [{"steps": s, "style_distance": d, "content_correlation_16px": c} for s, d, c in ((3, 80, 0.5), (5, 90, 1))]
    each = [reproduce.Painted([panel], row) for panel, row in zip(panels, rows, strict=True)]
    mean = {"steps": 4, "style_distance": 85, "content_correlation_16px": 0.75}
    one = {"style_distance, seed 0": 80, "style_distance, seed 1": 90}
    one |= {"content_correlation_16px, seed 0": 0.5, "content_correlation_16px, seed 1": 1}
    made = reproduce.mean_of(each)
    assert made.row == mean | one
    assert made.panels == [panels[0]]
    assert reproduce.mean_of(each[:1]).row == rows[0]


def test_figure_2_has_one_training():
    with pytest.raises(ValueError, match="expected no trainings for fig2, got 2"):
        ReproduceConfig(figure="fig2", trainings=2)


@pytest.mark.parametrize("name", get_args(FigureName))
def test_figures_on_a_gpu_have_networks_and_patches_of_the_papers_size(name, tmp_path):
    plan = figures.figure(name, "gpu", tmp_path)
    assert len(plan.runs) == {"fig2": 1, "fig7": 2, "fig8": 2, "fig9": 3}[name]
    for run in plan.runs.values():
        config, wide = run.generator, 1 if run.generator.system == "magic" else 2
        assert (config.channels, config.depth, run.crops.patch_px) == (48 * wide, 5, 256)
        assert run.discriminator == DiscriminatorConfig(depth=6 if config.guided else 7)
        with torch.device("meta"):
            assert build_generator(config).config == config
