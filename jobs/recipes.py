"""Named recipes: whole training settings, to be started from and changed on the command line."""

from jobs.config import TrainConfig
from magic.config import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from pipelines.config import CropConfig, SourceConfig

RECIPES: dict[str, tuple[str, TrainConfig]] = {
    "paper": (
        "The paper's guided setting (appendix II); needs a GPU.",
        TrainConfig(name="magic-paper", steps=100_000),
    ),
    "small": (
        "A quarter of the paper's channels: twenty minutes on two CPU cores for a picture of your own.",
        TrainConfig(
            name="magic-small",
            steps=2000,
            crops=CropConfig(patch_px=160, num_templates=16, batch_size=1),
            generator=GeneratorConfig(channels=12, depth=4, heads=1, refine="correct"),
            discriminator=DiscriminatorConfig(channels=24, depth=4, max_channels=192),
            losses=LossConfig(content=60.0, content_on="collage", entropy=1.0, total_variation=3.0),
            optimizer=OptimizerConfig(learning_rate=1e-3),
            checkpoint_every=300,
            sheet_every=300,
        ),
    ),
    "demo": (
        "Minutes on two CPU cores, on pictures that come with the project.",
        TrainConfig(
            name="magic-demo",
            steps=700,
            content=SourceConfig(urls=("demo/content/astronaut.jpg",), scale=3.0),
            style=SourceConfig(urls=("demo/style",)),
            crops=CropConfig(patch_px=128, num_templates=10, batch_size=1),
            generator=GeneratorConfig(channels=8, depth=3, heads=1, refine="correct"),
            discriminator=DiscriminatorConfig(channels=16, depth=4, max_channels=128),
            losses=LossConfig(content=60.0, content_on="collage", entropy=1.5, total_variation=3.0),
            optimizer=OptimizerConfig(learning_rate=1.5e-3),
            checkpoint_every=350,
            sheet_every=350,
        ),
    ),
}
