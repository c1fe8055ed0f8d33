"""The settings of `magic train`. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from cluster.connection import ClusterConfig
from cluster.tracking.aliases import check_alias
from magic.checks import require, require_plain_name
from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig
from magic.options import FREE, PLACE, RESULT, WORDS, check_values
from pipelines.pictures.settings import CropConfig, SourceConfig

ToneChoice = Literal["match", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Train a generator and register it. Running the same command again goes on where it stopped."""

    name: Annotated[str, RESULT, WORDS]
    """Name of the run's folder and of the registered model."""
    steps: Annotated[int, FREE]
    """Training steps in all. A finished run with more steps goes on."""
    content: Annotated[SourceConfig, RESULT] = field(default_factory=SourceConfig)
    """Pictures to be painted."""
    style: Annotated[SourceConfig, RESULT] = field(default_factory=SourceConfig)
    """Pictures to paint with."""
    tone: Annotated[ToneChoice, RESULT] = "match"
    """match: content is brought into the style's mean and spread of coarse luminance, so that a dark style can paint
    a bright picture. keep: content stays as it is (the paper says nothing of either)."""
    crops: Annotated[CropConfig, RESULT] = field(default_factory=CropConfig)
    """What a batch is made of."""
    generator: Annotated[GeneratorConfig, RESULT] = field(default_factory=GeneratorConfig)
    """The model."""
    discriminator: Annotated[DiscriminatorConfig, RESULT] = field(default_factory=DiscriminatorConfig)
    """The discriminator, which the generator is trained against."""
    losses: Annotated[LossConfig, RESULT] = field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimizer: Annotated[OptimizerConfig, RESULT] = field(default_factory=OptimizerConfig)
    """Adam, and the precision."""
    workers: Annotated[int, FREE] = 1
    """Training processes, each with a GPU where the cluster has any."""
    min_workers: Annotated[int | None, FREE] = None
    """Go on with at least so many workers while machines are missing, and with all when they are back. Left out: wait
    for all."""
    gpu_share: Annotated[float, FREE] = 1.0
    """Share of a GPU for each worker: 0.5 lets two small trainings share one."""
    max_failures: Annotated[int, FREE] = 3
    """How often lost workers are replaced before the job gives up."""
    checkpoint_every: Annotated[int, FREE] = 500
    """Steps from one checkpoint to the next."""
    log_every: Annotated[int, FREE] = 20
    """Steps from one entry of the loss curves to the next."""
    sheet_every: Annotated[int, FREE] = 500
    """Steps from one sample sheet to the next."""
    out: Annotated[str, FREE, PLACE] = "runs"
    """Folder (any URL Ray Train can write to) that gets a folder per run."""
    alias: Annotated[str, FREE, WORDS] = "current"
    """Alias that the registered version takes over."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: Annotated[bool, FREE] = False
    """Print the plan and stop."""

    @property
    def fewest(self) -> int:
        """The least number of workers that training goes on with."""
        return self.min_workers or self.workers

    def __post_init__(self) -> None:
        check_values(self)
        for name in ("steps", "workers", "checkpoint_every", "log_every", "sheet_every"):
            require(getattr(self, name) >= 1, f"{name} >= 1", getattr(self, name), "give a positive number")
        least = self.min_workers
        require(least is None or 1 <= least <= self.workers, f"min-workers in 1..{self.workers}", least, "leave it out")
        require(0 < self.gpu_share <= 1, "a gpu-share above 0 and up to 1", self.gpu_share, "1 is usual")
        require(
            self.workers == 1 or self.gpu_share > 0.5,
            "a gpu-share above 0.5 for several workers: those of one training cannot share a GPU",
            self.gpu_share,
            "leave it out",
        )
        multiple, patch = self.generator.multiple, self.crops.patch_px
        require(
            patch % multiple == 0,
            f"a patch size that is a multiple of 2^depth = {multiple}",
            patch,
            f"{-(-patch // multiple) * multiple} would do, or change generator.depth",
        )
        require(
            patch >= 1 << self.discriminator.depth,
            f"a patch of at least 2^{self.discriminator.depth} pixels for the discriminator",
            patch,
            "lower discriminator.depth",
        )
        self._check_memory()
        require_plain_name(self.name)
        check_alias(self.alias)

    def _check_memory(self) -> None:
        """Refuse memory sets that the system cannot use."""
        generator, crops = self.generator, self.crops
        traits, size, k = generator.traits, generator.memory_size, crops.num_templates
        require(
            size is None or crops.min_templates is None,
            f"a constant K for {generator.system}",
            crops.min_templates,
            "leave crops.min_templates out",
        )
        require(size is None or size == k, f"a memory_size of num_templates = {k}", size, "make them equal")
        require(
            not traits.has_fixed_memory or crops.memory == "fixed",
            f"a fixed memory for {generator.system}, which tells templates apart by their order",
            crops.memory,
            "set crops.memory to fixed",
        )
        require(
            crops.memory == "random" or generator.guided,
            "random memory sets for an unguided model",
            crops.memory,
            "a fixed memory lies where the content lies",
        )
        require(
            crops.memory == "random" or traits.copies_templates,
            f"no fixed memory for the {generator.system}, which has none",
            crops.memory,
            "leave crops.memory out",
        )
