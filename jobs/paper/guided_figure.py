"""Figures that paint a content: every run is trained and paints the same content, and its output is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jobs.paper.figures import NUM_MEMORY_SETS, Figure
from jobs.paper.local_training import slug, train_run
from jobs.paper.report import Entry
from jobs.paper.side_by_side import side_by_side
from jobs.settings.training_config import TrainConfig
from magic.measures.fidelity import colour_shift
from magic.measures.score import score
from magic.networks.generator import Generator
from magic.pixels import picture_of, to_uint8
from magic.scene.content import Content
from magic.scene.memory import MemorySet, PictureList, draw_templates
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from magic.sheets import Panel, weights_in_colour
from magic.training.step import TrainState
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.reading import read_resized, read_single, read_source
from pipelines.pictures.tone import common_tone, match_tone, tone_of

LISTED_MEASURES = ("style_distance", "content_correlation_16px")
"""Measures that a table also gives for each of several trainings of a run, to show how far these differ."""


class Pictures(NamedTuple):
    """The pictures of a guided run."""

    content: PictureList
    """As it is: outputs are measured against it."""
    toned: PictureList
    """The content in the style's tone: what is painted."""
    style: PictureList


def paint_guided(plan: Figure, folder: Path) -> dict[str, Entry]:
    """Train every run, and paint the same content by each, at the size that it has in training.

    Published pictures are measured first: what is wrong with them must not come out after hours of training.
    """
    published = {label: measure_published(url, plan) for label, url in plan.published.items()}
    runs = [
        replace(run, name=f"{slug(label)}-seed-{seed}", crops=replace(run.crops, seed=seed))
        for seed in range(plan.num_trainings)
        for label, run in plan.runs.items()
    ]
    work = partial(train_and_paint, folder=folder, seconds=plan.minutes * 60, num_templates=plan.num_templates)
    entries = side_by_side(work, runs)
    by_label = {label: entries[number :: len(plan.runs)] for number, label in enumerate(plan.runs)}
    return {label: mean_of_trainings(trainings) for label, trainings in by_label.items()} | published


def measure_published(url: str, plan: Figure) -> Entry:
    """A published picture and its measures; content and style are taken at their own sizes."""
    run = next(iter(plan.runs.values()))
    style = read_source(replace(run.style, scale=1.0), min_side_px=1, name="style")
    picture = read_single(url, "published").pixels
    content = read_resized(run.content.urls[0], "content", *picture.shape[:2])
    return Entry([Panel("as published", picture)], score(picture, style.pictures, content))


def train_and_paint(run: TrainConfig, slot: int, folder: Path, seconds: float, num_templates: int) -> Entry:
    """One training of one run, and what it paints."""
    pictures = read_pictures(run)
    state = train_run(run, pictures.toned, pictures.style, folder, seconds=seconds, slot=slot)
    return paint_content(state, run, pictures, num_templates)


def read_pictures(run: TrainConfig) -> Pictures:
    """The run's pictures, at the sizes that they have in training."""
    content = read_source(run.content, min_side_px=run.crops.patch_px, name="content")
    style = read_source(run.style, min_side_px=run.crops.patch_px, name="style")
    tone = common_tone(style.pictures)
    toned = PictureList([match_tone(picture, tone_of(picture), tone) for picture in content.pictures])
    return Pictures(content, toned, style)


def paint_content(state: TrainState, run: TrainConfig, pictures: Pictures, num_templates: int) -> Entry:
    """The first content, painted from several memory sets, or from the one of a run whose memory is fixed.

    Returns:
        The pictures from the first memory set, and the means of the measures over all of them.
    """
    if run.crops.memory == "fixed":
        return paint_from(state, fixed_memory(pictures.style, run.crops), pictures)
    style = pictures.style
    memories = [
        MemorySet.of(style, draw_templates(style, num_templates, seed=seed)) for seed in range(1, 1 + NUM_MEMORY_SETS)
    ]
    entries = [paint_from(state, memory, pictures) for memory in memories]
    return Entry(entries[0].panels, means([each.measures for each in entries]))


def paint_from(state: TrainState, memory: MemorySet, pictures: Pictures) -> Entry:
    """The first content, painted from a memory set by the averaged generator in one pass, and its measures."""
    generator = state.average
    assert isinstance(generator, Generator)
    content = Content.of(pictures.toned.get(0))
    canvas = plan_canvas(generator, content.height, content.width)
    painted = TileRenderer(generator, Scene(content, memory, canvas), state.device).whole()
    rows, columns = canvas.poster.slices
    output, collage = (picture_of(to_uint8(part[0][:, rows, columns])) for part in (painted.image, painted.collage))
    weights = painted.weights[0][:, rows, columns].cpu().numpy()
    colours = weights_in_colour(weights).transpose(1, 2, 0)
    measures = {"steps": float(state.step), **score(output, pictures.style.pictures, pictures.content.get(0), weights)}
    measures["output_from_collage_levels"] = colour_shift(output, collage)
    return Entry([Panel("output", output), Panel("collage", collage), Panel("weights", colours)], measures)


def mean_of_trainings(trainings: Sequence[Entry]) -> Entry:
    """The first training's pictures, and the means of the measures over all trainings of one run.

    Of several trainings the LISTED_MEASURES of each are given, too.
    """
    measures = means([each.measures for each in trainings])
    if len(trainings) > 1:
        for name in LISTED_MEASURES:
            measures |= {f"{name}, seed {seed}": each.measures[name] for seed, each in enumerate(trainings)}
    return Entry(trainings[0].panels, measures)


def means(measures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every measure."""
    return {name: float(np.mean([each[name] for each in measures])) for name in measures[0]}
