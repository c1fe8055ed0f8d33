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
        "A quarter of the paper's channels, for one small GPU or a patient CPU.",
        TrainConfig(
            name="magic-small",
            steps=6000,
            crops=CropConfig(patch_px=128, num_templates=12, batch_size=2),
            generator=GeneratorConfig(channels=12, depth=4, heads=2, refine="correct"),
            discriminator=DiscriminatorConfig(channels=24, depth=5, max_channels=192),
            losses=LossConfig(content=40.0, total_variation=2.0),
            optimizer=OptimizerConfig(learning_rate=5e-4),
        ),
    ),
    "demo": (
        "Minutes on two CPU cores, on pictures that come with the project.",
        TrainConfig(
            name="magic-demo",
            steps=500,
            content=SourceConfig(urls=("demo/content/astronaut.jpg",), scale=3.0),
            style=SourceConfig(urls=("demo/style",)),
            crops=CropConfig(patch_px=128, num_templates=10, batch_size=1),
            generator=GeneratorConfig(channels=8, depth=3, heads=1, refine="correct"),
            discriminator=DiscriminatorConfig(channels=16, depth=4, max_channels=128),
            losses=LossConfig(content=60.0, entropy=1.5, total_variation=3.0),
            optimizer=OptimizerConfig(learning_rate=1.5e-3),
            checkpoint_every=250,
            sheet_every=250,
        ),
    ),
}
