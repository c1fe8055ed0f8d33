"""Figure 2: collages of whole faces without a content, measured against faces that training never saw."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from jobs.paper.faces import draw_faces
from jobs.paper.figures import Figure
from jobs.paper.local_training import slug, train_run
from jobs.paper.report import Entry
from jobs.settings.training_config import TrainConfig
from jobs.training.validation import SetCollage, collage_of
from magic.checks import require
from magic.measures.pieces import largest_share, mean_entropy
from magic.measures.style_distance import style_distance
from magic.scene.memory import PictureList
from magic.sheets import Panel
from magic.training.step import TrainState
from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading import read_source
from pipelines.storage.door import absolute

NUM_TRAINING_FACES, NUM_HELD_OUT_FACES = 400, 64
MAX_FACES = 4000
"""Faces that are read of a larger folder, picked at random: all of CelebA would not fit into memory."""
SHOWN_K = (2, 4, 8, 12)
NUM_SHOWN_SETS = 2
"""Collages on the sheet for each K."""

Face = UInt8[ndarray, "size size 3"]


class Faces(NamedTuple):
    """The pictures of figure 2."""

    training: PictureList
    held_out: list[Face]
    """Faces that training never sees."""


def paint_unguided(plan: Figure, folder: Path, faces: str | None) -> dict[str, Entry]:
    """Train the figure's one run, and make collages of as many sets for each of several K.

    Args:
        plan: of one run.
        folder: for checkpoints, and for faces where they are drawn.
        faces: URL of a folder of aligned pictures; None draws some.

    Raises:
        ValueError: if there are too few faces.
    """
    ((label, run),) = plan.runs.items()
    side_px = run.crops.patch_px
    if faces is None:
        faces = str(folder / "faces")
        draw_faces(Path(faces), NUM_TRAINING_FACES + NUM_HELD_OUT_FACES, size_px=side_px)
    run = replace(run, name=slug(label), style=replace(run.style, urls=(absolute(faces),)))
    training, held_out = read_faces(run)
    state = train_run(run, None, training, folder, seconds=plan.minutes * 60)
    return {f"K = {k}": measure_collages(state, training, held_out, k) for k in SHOWN_K}


def read_faces(run: TrainConfig) -> Faces:
    """The run's pictures, at most MAX_FACES of them, divided into those of the training and those that are held out.

    Raises:
        ValueError: if there are too few.
    """
    urls = list_pictures(run.style.urls)
    min_faces = NUM_HELD_OUT_FACES + max(SHOWN_K)
    require(len(urls) >= min_faces, f"at least {min_faces} pictures of faces", len(urls), "give more")
    chosen = np.random.default_rng(0).permutation(len(urls))[:MAX_FACES]
    source = replace(run.style, urls=tuple(urls[number] for number in chosen))
    pictures = read_source(source, min_side_px=run.crops.patch_px, name="style").pictures
    return Faces(PictureList(pictures[:-NUM_HELD_OUT_FACES]), list(pictures[-NUM_HELD_OUT_FACES:]))


def measure_collages(state: TrainState, training: PictureList, held_out: Sequence[Face], k: int) -> Entry:
    """Collages of as many sets of K faces as there are held-out ones, and their measures.

    The plain averages of the same sets are measured, too: a collage should be closer to faces than they are.
    """
    rng = np.random.default_rng([1, k])
    sets = [[training.get(int(i)) for i in rng.choice(len(training.pictures), k, replace=False)] for _ in held_out]
    collages = [collage_of(state.average, [face.transpose(2, 0, 1) for face in faces], state.device) for faces in sets]
    averages = [np.mean(faces, 0).round().astype(np.uint8) for faces in sets]
    reference = [grid_of(held_out)]
    measures = {
        "steps": float(state.step),
        "style_distance": style_distance(grid_of([collage.image for collage in collages]), reference),
        "style_distance_of_averages": style_distance(grid_of(averages), reference),
        "largest_share": float(np.mean([largest_share(collage.weights) for collage in collages])),
        "entropy": float(np.mean([mean_entropy(collage.weights) for collage in collages])),
    }
    shown = list(zip(collages, sets, strict=True))[:NUM_SHOWN_SETS]
    return Entry([panel for collage, faces in shown for panel in panels_of(collage, faces)], measures)


def panels_of(collage: SetCollage, faces: Sequence[Face]) -> list[Panel]:
    """A collage, its weights, and the first faces of its set."""
    elements = [Panel(f"element {number}", face) for number, face in enumerate(faces[:3], 1)]
    return [Panel("collage", collage.image), Panel("weights", collage.colours), *elements]


def grid_of(pictures: Sequence[Face]) -> UInt8[ndarray, "height width 3"]:
    """Squares of one size side by side in one picture, so that patches of all of them are compared together.

    Some patches cross the borders between squares. As many whole rows are filled as there are pictures for.
    """
    columns = round(len(pictures) ** 0.5)
    starts = range(0, len(pictures) // columns * columns, columns)
    return np.concatenate([np.concatenate(pictures[start : start + columns], 1) for start in starts], 0)
