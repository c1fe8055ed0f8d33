"""How a model was trained: the record that lies beside its weights, and the identity of its training."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from jobs.settings.training_config import ToneChoice, TrainConfig
from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from magic.options import FREE, settings_of
from pipelines.pictures.settings import CropConfig
from pipelines.pictures.source_records import SourceIdentity, SourceSummary
from pipelines.pictures.sources import Source
from pipelines.storage.records import Record

RECIPE = "recipe.json"
"""File of a model's folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """The settings of a training that shape its model."""

    name: str = ""
    tone: ToneChoice = "match"
    crops: CropConfig = field(default_factory=CropConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


def model_settings(config: TrainConfig) -> dict[str, Any]:
    """The fields of ModelSettings. Within them, settings that change no model have their defaults."""
    shared = {each.name: getattr(config, each.name) for each in fields(ModelSettings)}
    for setting in settings_of(config):
        part, _, name = setting.name.partition(".")
        if name and part in shared and setting.effect is FREE:
            shared[part] = replace(shared[part], **{name: setting.default})
    return shared


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe(ModelSettings, Record):
    """How a model was trained: its settings, and what its pictures were."""

    KIND: ClassVar[str] = "recipe"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "a model's recipe"

    content: SourceSummary | None = None
    """None for unguided models."""
    style: SourceSummary | None = None

    @staticmethod
    def of(config: TrainConfig, content: Source | None, style: Source) -> "Recipe":
        """The recipe of a training with these pictures."""
        return Recipe(**model_settings(config), content=content.summary() if content else None, style=style.summary())

    @property
    def sources(self) -> dict[str, SourceSummary]:
        """The sources that there are, by name."""
        named = {"content": self.content, "style": self.style}
        return {name: source for name, source in named.items() if source is not None}

    def params(self) -> dict[str, Any]:
        """What MLflow shows of it as parameters."""
        told = ("urls", "scale", "square_px", "shares", "digest", "num_pictures")
        values = self.to_json()
        sources = {name: {key: values[name][key] for key in told} for name in self.sources}
        return {name: value for name, value in values.items() if name not in ("content", "style")} | sources


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingIdentity(ModelSettings, Record):
    """All that decides what a training ends at, but for the number of its steps."""

    KIND: ClassVar[str] = "training"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the identity of a training"
    NOTES: ClassVar[frozenset[str]] = frozenset({"content.urls", "style.urls"})

    content: SourceIdentity | None
    style: SourceIdentity

    @staticmethod
    def of(config: TrainConfig, content: Source | None, style: Source) -> "TrainingIdentity":
        """The identity of a training with these pictures."""
        return TrainingIdentity(
            **model_settings(config), content=content.identity() if content else None, style=style.identity()
        )
