"""What each figure of the paper needs: pictures, settings of every run, and for how long to train."""

from dataclasses import dataclass, replace
from pathlib import Path

from jobs.settings.measure_config import Scale
from jobs.settings.recipes import RECIPES, as_famos, as_mosaic
from jobs.settings.training_config import TrainConfig
from pipelines.pictures.settings import SourceConfig

DEMO = Path(__file__).parents[2] / "demo"
ENDLESS = 10_000_000  # time ends these trainings
MEMORY_SETS = 4
"""Of K templates each, that a content is painted from: one set is closer to the style than another by chance."""
TRAININGS = 4
"""Of each system on a CPU: short trainings from other seeds differ more than systems do."""
SETS = f"Measures are means over {MEMORY_SETS} memory sets, but for a system whose memory is fixed; one is shown."
HALF_SIZE = "Our pictures have sides half as long as the published ones: a cell of 16 px in them is one of 32 px there."


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: runs that differ in one thing, and the pictures they have in common."""

    title: str
    runs: dict[str, TrainConfig]
    """Settings by the label that each run has on the sheet."""
    minutes: float
    """Of each training."""
    num_templates: int
    """K of the pictures that are shown."""
    trainings: int = 1
    """How often each run is trained, from seeds 0, 1, ..."""
    note: str = ""
    """What has to be known to read its table."""


def guided_base(scale: Scale) -> TrainConfig:
    """The guided setting that figures 7 to 9 start from: the demo's model, or one of the paper's size."""
    demo, paper = RECIPES["demo"][1], RECIPES["paper"][1]
    if scale == "gpu":
        crops = replace(paper.crops, num_templates=16, batch_size=4)
        wide = 2 * paper.generator.channels
        generator = replace(paper.generator, refine="blend", refiner_channels=wide, refiner_sees_content=True)
        optimizer = replace(paper.optimizer, learning_rate=3e-4)
        return replace(paper, steps=ENDLESS, crops=crops, generator=generator, losses=demo.losses, optimizer=optimizer)
    return replace(demo, steps=ENDLESS, crops=replace(demo.crops, num_templates=12))


def demo_base(scale: Scale) -> TrainConfig:
    """Figures 7 and 8: the portrait and the styles that come with the project.

    The collage alone answers for the content, so that nothing but the weights A makes up for what they lose; what is
    painted keeps the collage's colours.
    """
    base = guided_base(scale)
    return replace(
        base,
        generator=replace(base.generator, refiner_sees_content=False),
        losses=replace(base.losses, content=90.0, content_on="collage", entropy=1.0, painted_share=20.0, drift=30.0),
        content=SourceConfig(urls=(str(DEMO / "content"),), scale=1.5),
        style=SourceConfig(urls=(str(DEMO / "style"),)),
    )


def milan_base(scale: Scale, data: Path) -> TrainConfig:
    """Figure 9: Arcimboldo's self portrait, painted with Milan from above; on a CPU at half the size."""
    size = 1.0 if scale == "gpu" else 0.5
    return replace(
        guided_base(scale),
        losses=RECIPES["small"][1].losses,
        content=SourceConfig(urls=(str(data / "archimboldo.jpg"),), scale=size),
        style=SourceConfig(urls=(str(data / "milano"),), scale=size),
    )


def with_losses(base: TrainConfig, **changes: float) -> TrainConfig:
    """The same run with other weights in its objective."""
    return replace(base, losses=replace(base.losses, **changes))  # type: ignore[arg-type]


def figure(name: str, scale: Scale, data: Path) -> Figure:
    """The runs of one figure."""
    cpu = scale == "cpu"
    if name == "fig2":
        return Figure("Unguided collages of faces", {"unguided": unguided(scale)}, 10 if cpu else 60, 4)
    if name == "fig7":
        runs = {f"lambda_E = {x:g}": with_losses(demo_base(scale), entropy=x) for x in (0.5, 5.0)}
        return Figure("Entropy of A", runs, 4 if cpu else 20, 12 if cpu else 50, note=SETS)
    if name == "fig8":
        runs = {f"lambda_TV = {x:g}": with_losses(demo_base(scale), total_variation=x) for x in (1.0, 100.0)}
        return Figure("Total variation of A", runs, 4 if cpu else 20, 12 if cpu else 50, note=SETS)
    base = milan_base(scale, data)
    runs = {"convolutional mosaic": as_mosaic(base), "FAMOS hybrid": as_famos(base), "MAGIC": base}
    note = f"{SETS}\n\n{HALF_SIZE}" if cpu else SETS
    minutes, trainings = (10, TRAININGS) if cpu else (120, 1)
    return Figure("Three systems on Milan and Arcimboldo", runs, minutes, base.crops.num_templates, trainings, note)


def unguided(scale: Scale) -> TrainConfig:
    """Whole pictures, K drawn anew at every step, and no content (section 4; appendix II)."""
    recipe = RECIPES["small-unguided" if scale == "cpu" else "paper-unguided"][1]
    return replace(recipe, steps=ENDLESS)
