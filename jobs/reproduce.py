"""`magic reproduce`: train what a figure of the paper needs, in this process, and write the figure and its table.

Neither Ray nor MLflow takes part, so that it runs on any machine with torch, also where the command line cannot be
installed: python -c "from jobs.config import ReproduceConfig as C; from jobs.reproduce import reproduce as r;
r(C(figure='fig9', scale='gpu', data='DATA'))"
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from PIL import Image

from jobs.config import ReproduceConfig, TrainConfig
from jobs.faces import draw_faces
from jobs.figures import Figure, figure
from jobs.local_training import train_here
from jobs.validation import pixels
from magic.batch import from_uint8, to_uint8
from magic.config import require
from magic.generator import Generator
from magic.memory import MemorySet, PictureList, draw_templates
from magic.metrics import colour_shift, largest_share, mean_entropy, score, style_distance
from magic.render import Scene, TileRenderer, plan_canvas
from magic.sheets import Panel, as_table, sheet, weights_in_colour
from magic.step import TrainState
from pipelines.config import SourceConfig
from pipelines.crops import fixed_memory
from pipelines.objects import claim
from pipelines.reading import read_source
from pipelines.tone import match_tone, pooled, tone_of

PANEL_PX = {"fig2": 128, "fig7": 420, "fig8": 420, "fig9": 420}
TRAINING_FACES, HELD_OUT_FACES = 400, 64
SHEET_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class Painted:
    """What one run makes of the figure's pictures."""

    panels: list[Panel]
    row: dict[str, float]


def reproduce(config: ReproduceConfig) -> Path:
    """Train, paint, measure; returns the table's path. A second call goes on where the first was stopped.

    Raises:
        ValueError: if the figure's pictures are not in the data folder.
    """
    torch.backends.cudnn.benchmark = True
    plan = figure(config.figure, config.scale, Path(config.data))
    minutes = config.minutes or plan.minutes
    folder = Path(config.out) / f"{config.figure}-{config.scale}"
    print(f"{config.figure}: {plan.title}; {len(plan.runs)} runs of {minutes:g} minutes each; folder {folder}")
    if config.dry_run:
        return folder
    paint = unguided_figure if config.figure == "fig2" else guided_figure
    shown = paint(plan, folder, minutes * 60, config)
    return write(config, plan, folder, minutes, shown)


def guided_figure(plan: Figure, folder: Path, seconds: float, config: ReproduceConfig) -> dict[str, Painted]:
    """Every run's picture of the same content, at the content's size in training."""
    shown = {}
    for label, run in plan.runs.items():
        content, style = read_guided(run)
        state = trained(replace(run, name=slug(label)), content, style, folder, seconds)
        shown[label] = paint_content(state, run, content.get(0), style, config.templates or plan.num_templates)
    if config.figure == "fig9":
        shown |= published(Path(config.data))
    return shown


def trained(
    run: TrainConfig, content: PictureList | None, style: PictureList, folder: Path, seconds: float
) -> TrainState:
    """The run, trained in a folder of its name, which belongs to it."""
    claim(str(folder / run.name), asdict(run), "a run's folder (--out)")
    return train_here(run, content, style, folder / run.name, seconds=seconds)


def read_guided(run: TrainConfig) -> tuple[PictureList, PictureList]:
    """Content, in the style's tone, and style."""
    content, style = (
        read_source(source, min_side_px=run.crops.patch_px, name=name)
        for source, name in ((run.content, "content"), (run.style, "style"))
    )
    wanted = pooled((picture.shape[0] * picture.shape[1], tone_of(picture)) for picture in style.pictures)
    return PictureList([match_tone(picture, tone_of(picture), wanted) for picture in content.pictures]), style


def paint_content(state: TrainState, run: TrainConfig, content: ndarray, style: PictureList, k: int) -> Painted:
    """The content painted by the averaged generator in one pass, and its measures."""
    generator = state.average
    assert isinstance(generator, Generator)
    if run.crops.memory == "fixed":
        memory = fixed_memory(style, run.crops)
    else:
        memory = MemorySet.of(style, draw_templates(style, k, seed=1))
    canvas = plan_canvas(generator, *content.shape[:2])
    made = TileRenderer(generator, Scene(content, memory, canvas), state.device).whole()
    rows, columns = canvas.poster.slices
    image, collage = (pixels(to_uint8(part[0][:, rows, columns])) for part in (made.image, made.collage))
    weights = made.weights[0][:, rows, columns].cpu().numpy()
    row = {"steps": float(state.step), **score(image, style.pictures, content, weights)}
    row["output_from_collage_levels"] = colour_shift(image, collage)
    panels = [Panel("output", image), Panel("collage", collage)]
    panels.append(Panel("which template is where", pixels(torch.from_numpy(weights_in_colour(weights)))))
    return Painted(panels, row)


def published(data: Path) -> dict[str, Painted]:
    """The pictures that FAMOS' authors published for figure 9's inputs, at full size."""
    style = read_source(SourceConfig(urls=(str(data / "milano"),)), min_side_px=1, name="style")
    wanted = Image.open(data / "archimboldo.jpg").convert("RGB")
    shown = {}
    for label, file in {"published conv.": "famos_convolutional", "published FAMOS": "famos_hybrid"}.items():
        picture = Image.open(data / "published" / f"{file}.jpg").convert("RGB")
        content = np.array(wanted.resize(picture.size, Image.Resampling.LANCZOS))
        row = score(np.array(picture), style.pictures, content)
        shown[label] = Painted([Panel("as published", np.array(picture))], row)
    return shown


def unguided_figure(plan: Figure, folder: Path, seconds: float, config: ReproduceConfig) -> dict[str, Painted]:
    """Collages of faces for several seeds and K, measured against faces that training never saw."""
    ((label, run),) = plan.runs.items()
    size = run.crops.patch_px
    source = config.faces or str(folder / "faces")
    if config.faces is None:
        draw_faces(folder / "faces", TRAINING_FACES + HELD_OUT_FACES, size_px=size)
    everything = read_source(replace(run.style, urls=(source,)), min_side_px=size, name="style").pictures
    require(len(everything) > HELD_OUT_FACES, f"more than {HELD_OUT_FACES} pictures", len(everything), "give more")
    known, held_out = PictureList(everything[:-HELD_OUT_FACES]), everything[-HELD_OUT_FACES:]
    state = trained(replace(run, name=slug(label)), None, known, folder, seconds)
    return {f"K = {k}": paint_sets(state, known, held_out, k) for k in (2, 4, 8, 12)}


@torch.inference_mode()
def paint_sets(state: TrainState, known: PictureList, held_out: Sequence[ndarray], k: int) -> Painted:
    """Collages of as many sets of K pictures as are held out; the first of them are shown beside their sets."""
    rng = np.random.default_rng([1, k])
    collages, averages, shares, entropies, panels = [], [], [], [], []
    for number in range(len(held_out)):
        chosen = [known.get(int(i)) for i in rng.choice(len(known.pictures), k, replace=False)]
        planes = torch.stack([torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1))) for p in chosen])
        made = state.average(None, from_uint8(planes)[None].to(state.device))
        collages.append(pixels(to_uint8(made.image[0])))
        averages.append(np.mean(chosen, 0).round().astype(np.uint8))
        weights = made.weights[0].cpu().numpy()
        shares.append(largest_share(weights))
        entropies.append(mean_entropy(weights))
        if number < 2:
            colours = pixels(torch.from_numpy(weights_in_colour(weights)))
            panels += [Panel("collage", collages[-1]), Panel("weights", colours)]
            panels += [Panel(f"element {i + 1}", picture) for i, picture in enumerate(chosen[:3])]
    distances = {
        name: style_distance(side_by_side(some), [side_by_side(held_out)])
        for name, some in {"style_distance": collages, "style_distance_of_averages": averages}.items()
    }
    row = {"steps": float(state.step), **distances}
    row |= {"largest_share": float(np.mean(shares)), "entropy": float(np.mean(entropies))}
    return Painted(panels, row)


def side_by_side(pictures: Sequence[ndarray]) -> ndarray:
    """Equal squares as one picture: its patches are theirs, but for those across their borders."""
    columns = round(len(pictures) ** 0.5)
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, len(pictures) // columns * columns, columns)]
    return np.concatenate(rows, 0)


def slug(label: str) -> str:
    """A label as a name of letters, digits and '-'."""
    return "-".join("".join(c if c.isalnum() else " " for c in label).split())


def write(config: ReproduceConfig, plan: Figure, folder: Path, minutes: float, shown: dict[str, Painted]) -> Path:
    """The sheet as a JPEG, the table as Markdown beside it."""
    rows = [[Panel(f"{label}: {p.label}", p.picture) for p in painted.panels] for label, painted in shown.items()]
    picture = sheet(rows, PANEL_PX[config.figure])
    target = Path(config.results or folder)
    target.mkdir(parents=True, exist_ok=True)
    for quality in range(92, 30, -4):
        picture.save(target / f"{config.figure}-{config.scale}.jpg", quality=quality, optimize=True)
        if (target / f"{config.figure}-{config.scale}.jpg").stat().st_size <= SHEET_BYTES:
            break
    path = target / f"{config.figure}-{config.scale}.md"
    path.write_text(
        f"# {config.figure}: {plan.title}\n\n"
        f"`magic reproduce {config.figure} --scale {config.scale}`, {minutes:g} minutes of training for each run, on "
        f"{machine()}\n\n{as_table({label: painted.row for label, painted in shown.items()})}\n\n"
        f"![{plan.title}]({config.figure}-{config.scale}.jpg)\n"
    )
    print(path.read_text())
    print(f"wrote {path}")
    return path


def machine() -> str:
    """This machine, for the record."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
        model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
        device = f"{os.cpu_count()} cores of {model.strip()}"
    return f"{device}, Python {platform.python_version()}, torch {torch.__version__}"
