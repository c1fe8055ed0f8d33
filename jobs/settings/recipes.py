"""Named recipes: whole training settings, to be started from and changed on the command line."""

from dataclasses import replace

from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE
from jobs.settings.training_config import TrainConfig
from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from pipelines.pictures.settings import CropConfig, SourceConfig

SMALL = TrainConfig(
    name="magic-small",
    steps=2000,
    crops=CropConfig(patch_px=160, num_templates=16, batch_size=1),
    generator=GeneratorConfig(
        channels=12, depth=4, heads=1, refine="blend", refiner_channels=24, refiner_sees_content=True
    ),
    discriminator=DiscriminatorConfig(channels=24, depth=4, max_channels=192),
    losses=LossConfig(
        content=25.0,
        content_on="both",
        content_cell_px=16,
        entropy=3.0,
        total_variation=5.0,
        painted_share=0.1,
    ),
    optimizer=OptimizerConfig(learning_rate=1e-3),
    checkpoint_every=300,
    sheet_every=300,
)


def as_famos(base: TrainConfig) -> TrainConfig:
    """The same training by FAMOS' hybrid, with as many templates in a fixed memory and FAMOS' own lambda_alpha.

    Twice as wide, as MAGIC's refiner is: it runs once per picture, not once per template. Its lambda_C is one with
    which it comes about as close to the content as MAGIC does.
    """
    own, k = base.generator, base.crops.num_templates
    return replace(
        base,
        crops=replace(base.crops, memory="fixed"),
        generator=GeneratorConfig(system="famos", memory_size=k, channels=2 * own.channels, depth=own.depth),
        losses=replace(base.losses, content=2 * base.losses.content),
    )


def as_mosaic(base: TrainConfig) -> TrainConfig:
    """The same training by a fully convolutional mosaic, twice as wide, with a lambda_C chosen as for FAMOS.

    It has R1: without, two trainings for Fig. 9 that differed in nothing ended at style distances of 197 and 365.
    """
    own = base.generator
    return replace(
        base,
        crops=replace(base.crops, num_templates=1),
        generator=GeneratorConfig(system="mosaic", channels=2 * own.channels, depth=own.depth),
        losses=replace(base.losses, content=0.06 * base.losses.content, content_on="output", r1=1.0),
    )


RECIPES: dict[str, tuple[str, TrainConfig]] = {
    "paper": (
        "The paper's guided setting (appendix II); needs a GPU.",
        TrainConfig(name="magic-paper", steps=100_000),
    ),
    "small": (
        "A quarter of the paper's channels: twenty minutes on two CPU cores for a picture of your own.",
        SMALL,
    ),
    "demo": (
        "Minutes on two CPU cores, on pictures that come with the project.",
        TrainConfig(
            name="magic-demo",
            steps=700,
            content=SourceConfig(urls=(DEMO_CONTENT,), scale=3.0),
            style=SourceConfig(urls=(DEMO_STYLE,)),
            crops=CropConfig(patch_px=128, num_templates=10, batch_size=1),
            generator=GeneratorConfig(
                channels=8, depth=3, heads=1, refine="blend", refiner_channels=16, refiner_sees_content=True
            ),
            discriminator=DiscriminatorConfig(channels=16, depth=4, max_channels=128),
            losses=LossConfig(
                content=30.0,
                content_on="both",
                content_cell_px=16,
                entropy=2.0,
                total_variation=3.0,
                painted_share=3.0,
                drift=10.0,
            ),
            optimizer=OptimizerConfig(learning_rate=1.5e-3),
            checkpoint_every=350,
            sheet_every=350,
        ),
    ),
    "paper-unguided": (
        "The paper's unguided setting (appendix II): collages of whole, aligned pictures; needs a GPU.",
        TrainConfig(
            name="magic-unguided",
            steps=100_000,
            style=SourceConfig(square_px=256),
            crops=CropConfig(num_templates=12, min_templates=2, batch_size=12),
            generator=GeneratorConfig(guided=False),
            discriminator=DiscriminatorConfig(depth=7),
        ),
    ),
    "small-unguided": (
        "Collages of whole, aligned pictures (faces, say) at 64 px: half an hour on two CPU cores.",
        TrainConfig(
            name="magic-faces",
            steps=4000,
            style=SourceConfig(square_px=64),
            crops=CropConfig(patch_px=64, num_templates=8, min_templates=2, batch_size=8),
            generator=GeneratorConfig(guided=False, channels=12, depth=4, heads=1, refine="blend"),
            discriminator=DiscriminatorConfig(channels=32, depth=4, max_channels=256),
            losses=LossConfig(entropy=1.0, total_variation=1.0, max_share=4.0),
            optimizer=OptimizerConfig(learning_rate=1e-3),
        ),
    ),
    "famos": (
        "For comparison: FAMOS' hybrid of copying and painting, with a fixed memory; otherwise as small.",
        replace(as_famos(SMALL), name="famos-small"),
    ),
    "mosaic": (
        "For comparison: a fully convolutional mosaic without a memory; otherwise as small.",
        replace(as_mosaic(SMALL), name="mosaic-small"),
    ),
}
