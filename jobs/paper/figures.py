"""What each figure of the paper needs: pictures, settings of every run, and for how long to train.

To add a figure, write a function that returns its `Figure`, give it an entry in FIGURES, and name it in
`jobs.settings.measure_config.FigureName`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE, PROJECT
from jobs.settings.measure_config import FigureName, Scale
from jobs.settings.recipes import RECIPES, as_famos, as_mosaic
from jobs.settings.training_config import TrainConfig
from pipelines.pictures.settings import SourceConfig

MAX_STEPS = 10_000_000
"""More than any of these trainings takes: each ends when its minutes are over."""
NUM_MEMORY_SETS = 4
"""How many memory sets of K templates a content is painted from, because chance brings some closer to the style."""
NUM_TRAININGS = 4
"""Trainings of each system of figure 9 on a CPU: short trainings from different seeds differ more than systems do."""
MEMORY_SETS_NOTE = (
    f"Measures are means over {NUM_MEMORY_SETS} memory sets, except for a system whose memory is fixed; the pictures "
    "show one of them."
)
HALF_SIZE_NOTE = (
    "Our pictures have sides half as long as the published ones: a cell of 16 px in them is one of 32 px there."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure: runs that differ in one thing, and how they are trained and shown."""

    title: str
    runs: dict[str, TrainConfig]
    """Settings of each run, by the label that it has on the sheet."""
    minutes: float
    """Of each training."""
    num_templates: int
    """K of the pictures that are shown."""
    num_trainings: int = 1
    """How often each run is trained, from the seeds 0, 1, ..."""
    published: dict[str, str] = field(default_factory=dict)
    """URLs of published pictures of the same content and style, which are measured and shown beside the runs', by
    their labels."""
    panel_px: int = 420
    """Side of each picture on the sheet."""
    note: str = ""
    """What a reader of its table has to know."""

    @property
    def guided(self) -> bool:
        """Whether its runs paint a content."""
        return all(run.generator.guided for run in self.runs.values())


def figure(name: FigureName, scale: Scale, data: Path | None) -> Figure:
    """The plan of one figure.

    Args:
        name: which, a key of FIGURES.
        scale: of the networks and the times.
        data: folder with the FAMOS repository's samples, for figures that show them.

    Raises:
        ValueError: if the figure needs that folder and there is none.
    """
    return FIGURES[name](scale, data)


def unguided_faces(scale: Scale, data: Path | None) -> Figure:
    """Figure 2: collages of whole pictures, with K drawn anew at every step and no content (section 4; appendix II)."""
    recipe = RECIPES["small-unguided" if scale == "cpu" else "paper-unguided"][1]
    return Figure(
        title="Unguided collages of faces",
        runs={"unguided": replace(recipe, steps=MAX_STEPS)},
        minutes=10 if scale == "cpu" else 60,
        num_templates=4,
        panel_px=128,
    )


def entropies(scale: Scale, data: Path | None) -> Figure:
    """Figure 7: two weights of the entropy of A."""
    base = demo_base(scale)
    runs = {f"lambda_E = {x:g}": replace(base, losses=replace(base.losses, entropy=x)) for x in (0.5, 5.0)}
    return demo_figure("Entropy of A", runs, scale)


def total_variations(scale: Scale, data: Path | None) -> Figure:
    """Figure 8: two weights of the total variation of A."""
    base = demo_base(scale)
    runs = {f"lambda_TV = {x:g}": replace(base, losses=replace(base.losses, total_variation=x)) for x in (1.0, 100.0)}
    return demo_figure("Total variation of A", runs, scale)


def three_systems(scale: Scale, data: Path | None) -> Figure:
    """Figure 9: MAGIC and both baselines on Milan and Arcimboldo, beside the pictures that FAMOS' authors published.

    Raises:
        ValueError: without the data folder, which has these pictures.
    """
    if data is None:
        raise ValueError(
            "expected --data, the folder with the FAMOS repository's samples, for fig9, got none; "
            "name the folder that holds milano/, archimboldo.jpg and published/"
        )
    base, published = milan_base(scale, data), data / "published"
    return Figure(
        title="Three systems on Milan and Arcimboldo",
        runs={"convolutional mosaic": as_mosaic(base), "FAMOS hybrid": as_famos(base), "MAGIC": base},
        minutes=10 if scale == "cpu" else 120,
        num_templates=base.crops.num_templates,
        num_trainings=NUM_TRAININGS if scale == "cpu" else 1,
        published={
            "published conv.": str(published / "famos_convolutional.jpg"),
            "published FAMOS": str(published / "famos_hybrid.jpg"),
        },
        note=f"{MEMORY_SETS_NOTE}\n\n{HALF_SIZE_NOTE}" if scale == "cpu" else MEMORY_SETS_NOTE,
    )


FIGURES: dict[FigureName, Callable[[Scale, Path | None], Figure]] = {
    "fig2": unguided_faces,
    "fig7": entropies,
    "fig8": total_variations,
    "fig9": three_systems,
}


def demo_figure(title: str, runs: dict[str, TrainConfig], scale: Scale) -> Figure:
    """A figure on the pictures that come with the project."""
    minutes, num_templates = (4, 12) if scale == "cpu" else (20, 50)
    return Figure(title=title, runs=runs, minutes=minutes, num_templates=num_templates, note=MEMORY_SETS_NOTE)


def demo_base(scale: Scale) -> TrainConfig:
    """What the runs of figures 7 and 8 have in common: the portrait and the styles that come with the project.

    The content loss looks at the collage alone, so that the refiner cannot make up for what the weights A lose of the
    content; the output keeps the collage's colours.
    """
    base = guided_base(scale)
    return replace(
        base,
        generator=replace(base.generator, refiner_sees_content=False),
        losses=replace(base.losses, content=90.0, content_on="collage", entropy=1.0, painted_share=20.0, drift=30.0),
        content=SourceConfig(urls=(str(PROJECT / DEMO_CONTENT),), scale=1.5),
        style=SourceConfig(urls=(str(PROJECT / DEMO_STYLE),)),
    )


def milan_base(scale: Scale, data: Path) -> TrainConfig:
    """What the runs of figure 9 start from: Arcimboldo's self-portrait, painted with aerial views of Milan.

    On a CPU all pictures are used at half their size.
    """
    factor = 1.0 if scale == "gpu" else 0.5
    return replace(
        guided_base(scale),
        losses=RECIPES["small"][1].losses,
        content=SourceConfig(urls=(str(data / "archimboldo.jpg"),), scale=factor),
        style=SourceConfig(urls=(str(data / "milano"),), scale=factor),
    )


def guided_base(scale: Scale) -> TrainConfig:
    """The setting that figures 7 to 9 start from: on a CPU the demo's model, on a GPU one of the paper's size."""
    demo, paper = RECIPES["demo"][1], RECIPES["paper"][1]
    if scale == "cpu":
        return replace(demo, steps=MAX_STEPS, crops=replace(demo.crops, num_templates=12))
    return replace(
        paper,
        steps=MAX_STEPS,
        crops=replace(paper.crops, num_templates=16, batch_size=4),
        generator=replace(
            paper.generator,
            refine="blend",
            refiner_channels=2 * paper.generator.channels,
            refiner_sees_content=True,
        ),
        losses=demo.losses,
        optimizer=replace(paper.optimizer, learning_rate=3e-4),
    )
