"""Every figure has one entry, from which all that is special about it can be read."""

from typing import get_args

import pytest
import torch

from jobs.paper.figures import FIGURES, figure
from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE, PROJECT
from jobs.settings.measure_config import FigureName
from magic.hyperparameters import DiscriminatorConfig
from magic.networks.generator import build_generator
from pipelines.pictures.picture_urls import list_pictures


def test_the_command_line_offers_all_figures():
    assert set(FIGURES) == set(get_args(FigureName))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_on_a_gpu_have_networks_and_patches_of_the_papers_size(name, tmp_path):
    plan = figure(name, "gpu", tmp_path)
    assert len(plan.runs) == {"fig2": 1, "fig7": 2, "fig8": 2, "fig9": 3}[name]
    assert plan.guided == (name != "fig2")
    for run in plan.runs.values():
        config, wide = run.generator, 1 if run.generator.system == "magic" else 2
        assert (config.channels, config.depth, run.crops.patch_px) == (48 * wide, 5, 256)
        assert run.discriminator == DiscriminatorConfig(depth=6 if config.guided else 7)
        with torch.device("meta"):
            assert build_generator(config).config == config


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
@pytest.mark.parametrize("name", FIGURES)
def test_figure_9_alone_needs_data(name, scale):
    if name == "fig9":
        with pytest.raises(
            ValueError,
            match="expected --data, the folder with the FAMOS repository's samples, for fig9, got none; name",
        ):
            figure(name, scale, None)
    else:
        assert figure(name, scale, None).runs


def test_figures_find_the_demos_pictures_from_every_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = next(iter(figure("fig7", "cpu", None).runs.values()))
    assert run.content.urls == (str(PROJECT / DEMO_CONTENT),)
    assert run.style.urls == (str(PROJECT / DEMO_STYLE),)
    assert len(list_pictures(run.content.urls)) == 1
    assert len(list_pictures(run.style.urls)) > 1
