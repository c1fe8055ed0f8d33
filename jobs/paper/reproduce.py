"""`magic reproduce`: train what a figure of the paper needs, in this process, and write the figure and its table.

Neither Ray nor MLflow takes part, so that it runs on any machine with torch, also where the command line cannot be
installed: python -c "from jobs.config import ReproduceConfig as C; from jobs.reproduce import reproduce as r;
r(C(figure='fig9', scale='gpu', data='DATA'))"
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from PIL import Image

from jobs.paper.faces import draw_faces
from jobs.paper.figures import MEMORY_SETS, Figure, figure
from jobs.paper.local_training import train_here
from jobs.paper.side_by_side import places, side_by_side
from jobs.settings.measure_config import ReproduceConfig
from jobs.settings.training_config import TrainConfig
from jobs.training.validation import collage_of, pixels
from magic.checks import require
from magic.machine import machine
from magic.measures.fidelity import colour_shift
from magic.measures.pieces import largest_share, mean_entropy
from magic.measures.score import score
from magic.measures.style_distance import style_distance
from magic.networks.generator import Generator
from magic.pixels import to_uint8
from magic.scene.content import Content
from magic.scene.memory import MemorySet, PictureList, draw_templates
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from magic.sheets import Panel, sheet, small_jpeg, weights_in_colour
from magic.tables import as_table
from magic.training.step import TrainState
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.decoding import list_pictures
from pipelines.pictures.reading import read_single, read_source
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.tone import common_tone, match_tone, tone_of
from pipelines.store.storage import absolute, claim

PANEL_PX = {"fig2": 128, "fig7": 420, "fig8": 420, "fig9": 420}
TRAINING_FACES, HELD_OUT_FACES, MOST_FACES = 400, 64, 4000
SHOWN_K = (2, 4, 8, 12)
SHEET_BYTES = 400_000
SPREAD = ("style_distance", "content_correlation_16px")
AGAIN = (
    "Every run was trained {} times, from as many seeds: measures are means over these, the pictures are the first's."
)
SHOWN_OPTIONS = ("faces", "minutes", "trainings", "templates")  # that the table's command repeats


@dataclass(frozen=True, slots=True)
class Painted:
    """What one run makes of the figure's pictures."""

    panels: list[Panel]
    row: dict[str, float]


class Given(NamedTuple):
    """What a guided run is given."""

    content: PictureList
    """As it is: what pictures are measured against."""
    painted: PictureList
    """The content in the style's tone: what is painted."""
    style: PictureList


def reproduce(config: ReproduceConfig) -> Path:
    """Train, paint, measure; returns the table's path. A second call goes on where the first was stopped.

    Raises:
        ValueError: if the figure's pictures are not in the data folder.
    """
    plan = figure(config.figure, config.scale, Path(config.data))
    plan = replace(
        plan,
        minutes=config.minutes or plan.minutes,
        trainings=config.trainings or plan.trainings,
        num_templates=config.templates or plan.num_templates,
    )
    folder = Path(config.out) / f"{config.figure}-{config.scale}"
    print(f"{config.figure}: {plan.title}; {how_long(plan)}; folder {folder}")
    if config.dry_run:
        return folder
    shown = (unguided_figure if config.figure == "fig2" else guided_figure)(plan, folder, config)
    return write(config, plan, folder, shown)


def how_long(plan: Figure) -> str:
    """How many trainings there are, for how long, and how many of them at a time."""
    count = len(plan.runs) * plan.trainings
    return f"trainings: {count}, {plan.minutes:g} minutes each, {places(count)} at a time"


def guided_figure(plan: Figure, folder: Path, config: ReproduceConfig) -> dict[str, Painted]:
    """Every run's picture of the same content, at the content's size in training."""
    beside = published(Path(config.data)) if config.figure == "fig9" else {}  # first: it must not fail at the end
    runs = [
        replace(run, name=f"{slug(label)}-seed-{seed}", crops=replace(run.crops, seed=seed))
        for seed in range(plan.trainings)
        for label, run in plan.runs.items()
    ]
    work = partial(train_and_paint, folder=folder, seconds=plan.minutes * 60, k=plan.num_templates)
    made = side_by_side(work, runs)
    shown = {label: made[number :: len(plan.runs)] for number, label in enumerate(plan.runs)}
    return {label: mean_of(trainings) for label, trainings in shown.items()} | beside


def train_and_paint(run: TrainConfig, place: int, folder: Path, seconds: float, k: int) -> Painted:
    """One training of a guided figure, and what it paints."""
    given = read_guided(run)
    state = trained(run, given.painted, given.style, folder, seconds, place)
    return paint_content(state, run, given, k)


def mean_of(trainings: Sequence[Painted]) -> Painted:
    """The first training's pictures and the measures' means; of several trainings also what SPREAD names of each."""
    row = means([each.row for each in trainings])
    if len(trainings) > 1:
        row |= {f"{name}, seed {seed}": each.row[name] for name in SPREAD for seed, each in enumerate(trainings)}
    return Painted(trainings[0].panels, row)


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every measure."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def trained(
    run: TrainConfig, content: PictureList | None, style: PictureList, folder: Path, seconds: float, place: int = 0
) -> TrainState:
    """The run, trained in a folder of its name, which belongs to it."""
    claim(str(folder / run.name), asdict(run), "a run's folder (--out)")
    fast_kernels()
    return train_here(run, content, style, folder / run.name, seconds=seconds, place=place)


def fast_kernels() -> None:
    """Let torch choose fast kernels again: painting, which has to be exact, forbids it for the whole process, and the
    next run is to get as far in its minutes as the first.
    """
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False


def read_guided(run: TrainConfig) -> Given:
    """The run's pictures."""
    content, style = (
        read_source(source, min_side_px=run.crops.patch_px, name=name)
        for source, name in ((run.content, "content"), (run.style, "style"))
    )
    wanted = common_tone(style.pictures)
    painted = PictureList([match_tone(picture, tone_of(picture), wanted) for picture in content.pictures])
    return Given(content, painted, style)


def paint_content(state: TrainState, run: TrainConfig, given: Given, k: int) -> Painted:
    """The first content painted from several memory sets, or from the fixed one: the first picture, mean measures."""
    if run.crops.memory == "fixed":
        return paint_memory(state, fixed_memory(given.style, run.crops), given)
    memories = [
        MemorySet.of(given.style, draw_templates(given.style, k, seed=seed)) for seed in range(1, 1 + MEMORY_SETS)
    ]
    made = [paint_memory(state, memory, given) for memory in memories]
    return Painted(made[0].panels, means([each.row for each in made]))


def paint_memory(state: TrainState, memory: MemorySet, given: Given) -> Painted:
    """The first content painted by the averaged generator in one pass, and its measures."""
    generator = state.average
    assert isinstance(generator, Generator)
    content = Content.of(given.painted.get(0))
    canvas = plan_canvas(generator, content.height, content.width)
    made = TileRenderer(generator, Scene(content, memory, canvas), state.device).whole()
    rows, columns = canvas.poster.slices
    image, collage = (pixels(to_uint8(part[0][:, rows, columns])) for part in (made.image, made.collage))
    weights = made.weights[0][:, rows, columns].cpu().numpy()
    row = {"steps": float(state.step), **score(image, given.style.pictures, given.content.get(0), weights)}
    row["output_from_collage_levels"] = colour_shift(image, collage)
    panels = [Panel("output", image), Panel("collage", collage)]
    panels.append(Panel("weights", pixels(torch.from_numpy(weights_in_colour(weights)))))
    return Painted(panels, row)


def published(data: Path) -> dict[str, Painted]:
    """The pictures that FAMOS' authors published for figure 9's inputs, at full size."""
    style = read_source(SourceConfig(urls=(str(data / "milano"),)), min_side_px=1, name="style")
    wanted = Image.fromarray(read_single(str(data / "archimboldo.jpg"), "content").pixels)
    shown = {}
    for label, file in {"published conv.": "famos_convolutional", "published FAMOS": "famos_hybrid"}.items():
        picture = read_single(str(data / "published" / f"{file}.jpg"), "published").pixels
        height, width, _ = picture.shape
        content = np.array(wanted.resize((width, height), Image.Resampling.LANCZOS))
        shown[label] = Painted([Panel("as published", picture)], score(picture, style.pictures, content))
    return shown


def unguided_figure(plan: Figure, folder: Path, config: ReproduceConfig) -> dict[str, Painted]:
    """Collages of faces for several seeds and K, measured against faces that training never saw."""
    ((label, run),) = plan.runs.items()
    size = run.crops.patch_px
    if config.faces is None:
        draw_faces(folder / "faces", TRAINING_FACES + HELD_OUT_FACES, size_px=size)
    run = replace(run, style=replace(run.style, urls=(absolute(config.faces or str(folder / "faces")),)))
    urls = list_pictures(run.style.urls)
    least = HELD_OUT_FACES + max(SHOWN_K)
    require(len(urls) >= least, f"at least {least} pictures of faces", len(urls), "give more")
    some = np.random.default_rng(0).permutation(len(urls))[:MOST_FACES]  # all of CelebA would not fit into memory
    chosen = replace(run.style, urls=tuple(urls[i] for i in some))
    everything = read_source(chosen, min_side_px=size, name="style").pictures
    known, held_out = PictureList(everything[:-HELD_OUT_FACES]), everything[-HELD_OUT_FACES:]
    state = trained(replace(run, name=slug(label)), None, known, folder, plan.minutes * 60)
    return {f"K = {k}": paint_sets(state, known, held_out, k) for k in SHOWN_K}


def paint_sets(state: TrainState, known: PictureList, held_out: Sequence[ndarray], k: int) -> Painted:
    """Collages of as many sets of K pictures as are held out; the first of them are shown beside their sets."""
    rng = np.random.default_rng([1, k])
    collages, averages, shares, entropies, panels = [], [], [], [], []
    for number in range(len(held_out)):
        chosen = [known.get(int(i)) for i in rng.choice(len(known.pictures), k, replace=False)]
        made = collage_of(state.average, [picture.transpose(2, 0, 1) for picture in chosen], state.device)
        collages.append(made.image)
        averages.append(np.mean(chosen, 0).round().astype(np.uint8))
        shares.append(largest_share(made.weights))
        entropies.append(mean_entropy(made.weights))
        if number < 2:
            panels += [Panel("collage", made.image), Panel("weights", made.colours)]
            panels += [Panel(f"element {i + 1}", picture) for i, picture in enumerate(chosen[:3])]
    distances = {
        name: style_distance(as_one(some), [as_one(held_out)])
        for name, some in {"style_distance": collages, "style_distance_of_averages": averages}.items()
    }
    row = {"steps": float(state.step), **distances}
    row |= {"largest_share": float(np.mean(shares)), "entropy": float(np.mean(entropies))}
    return Painted(panels, row)


def as_one(pictures: Sequence[ndarray]) -> ndarray:
    """Equal squares as one picture: its patches are theirs, but for those across their borders."""
    columns = round(len(pictures) ** 0.5)
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, len(pictures) // columns * columns, columns)]
    return np.concatenate(rows, 0)


def slug(label: str) -> str:
    """A label as a name of letters, digits and '-'."""
    return "-".join("".join(c if c.isalnum() else " " for c in label).split())


def write(config: ReproduceConfig, plan: Figure, folder: Path, shown: dict[str, Painted]) -> Path:
    """The sheet as a JPEG, the table as Markdown beside it."""
    rows = [[Panel(f"{label}: {p.label}", p.picture) for p in painted.panels] for label, painted in shown.items()]
    picture = sheet(rows, PANEL_PX[config.figure])
    target = Path(config.results or folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{config.figure}-{config.scale}.jpg").write_bytes(small_jpeg(picture, SHEET_BYTES))
    options = "".join(f" --{name} {getattr(config, name)}" for name in SHOWN_OPTIONS if getattr(config, name))
    path = target / f"{config.figure}-{config.scale}.md"
    measured = as_table({label: painted.row for label, painted in shown.items()})
    notes = [AGAIN.format(plan.trainings)] if plan.trainings > 1 else []
    note = "".join(f"\n\n{text}" for text in [*notes, plan.note] if text)
    command = f"magic reproduce {config.figure} --scale {config.scale}{options}"
    path.write_text(
        f"# {config.figure}: {plan.title}\n\n"
        f"`{command}` on {machine()}; {how_long(plan)}\n\n{measured}{note}\n\n"
        f"![{plan.title}]({config.figure}-{config.scale}.jpg)\n"
    )
    print(path.read_text())
    print(f"wrote {path}")
    return path
