"""What tests of trainings share: settings of a training that takes moments."""

from jobs.settings.training_config import TrainConfig
from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig
from pipelines.pictures.settings import CropConfig

TINY = TrainConfig(
    name="tiny",
    steps=6,
    crops=CropConfig(patch_px=32, num_templates=2, batch_size=1),
    generator=GeneratorConfig(channels=4, depth=2, heads=1),
    discriminator=DiscriminatorConfig(channels=4, depth=3),
)
