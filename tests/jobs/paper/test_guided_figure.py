"""What a guided figure measures, and over what it takes the means."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from jobs.paper.guided_figure import Pictures, mean_of_trainings, paint_content, paint_from
from jobs.paper.report import Entry
from magic.measures.fidelity import content_fidelity
from magic.scene.memory import PictureList
from tests.conftest import memory_set, random_generator, textured
from tests.jobs.paper.tiny_run import TINY


def state_at(step: int) -> SimpleNamespace:
    return SimpleNamespace(average=random_generator(2), device=torch.device("cpu"), step=step)


def test_pictures_are_measured_against_the_content_as_it_is():
    rng = np.random.default_rng(0)
    content, style = textured(rng, 60, 60), PictureList([textured(rng, 50, 70)])
    state, memory = state_at(0), memory_set(list(style.pictures), 2, seed=1)
    pictures = Pictures(PictureList([content]), PictureList([255 - content]), style)
    entry = paint_from(state, memory, pictures)
    output = entry.panels[0].picture
    assert entry.measures["content_correlation_8px"] == content_fidelity(output, content, 8).correlation
    untoned = paint_from(state, memory, pictures._replace(toned=pictures.content))
    assert not np.array_equal(untoned.panels[0].picture, output)


def test_measures_are_means_over_several_memory_sets():
    rng = np.random.default_rng(0)
    content, style = PictureList([textured(rng, 60, 60)]), PictureList([textured(rng, 50, 70)])
    state, pictures = state_at(7), Pictures(content, content, style)
    each = [paint_from(state, memory_set(list(style.pictures), 2, seed=n), pictures) for n in range(1, 5)]
    entry = paint_content(state, TINY, pictures, 2)
    distances = [one.measures["style_distance"] for one in each]
    assert entry.measures["style_distance"] == pytest.approx(np.mean(distances))
    assert len(set(distances)) == 4
    assert entry.measures["steps"] == 7
    assert np.array_equal(entry.panels[0].picture, each[0].panels[0].picture)


def test_trainings_from_other_seeds_are_listed_one_by_one():
    panels = [np.zeros((2, 2, 3)), np.ones((2, 2, 3))]
    rows = [{"steps": s, "style_distance": d, "content_correlation_16px": c} for s, d, c in ((3, 80, 0.5), (5, 90, 1))]
    each = [Entry([panel], row) for panel, row in zip(panels, rows, strict=True)]
    mean = {"steps": 4, "style_distance": 85, "content_correlation_16px": 0.75}
    one = {"style_distance, seed 0": 80, "style_distance, seed 1": 90}
    one |= {"content_correlation_16px, seed 0": 0.5, "content_correlation_16px, seed 1": 1}
    entry = mean_of_trainings(each)
    assert entry.measures == mean | one
    assert entry.panels == [panels[0]]
    assert mean_of_trainings(each[:1]).measures == rows[0]
