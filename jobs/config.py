"""The settings of every job: one dataclass each. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Literal

from cluster.config import ClusterConfig
from magic.config import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig, require
from pipelines.config import CropConfig, SourceConfig

Extra = Literal["collage", "weights"]
Tone = Literal["match", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Train a generator and register it. Running the same command again goes on where it stopped."""

    name: str
    """Name of the run's folder and of the registered model."""
    steps: int
    """Training steps in all. A finished run with more steps goes on."""
    content: SourceConfig = field(default_factory=SourceConfig)
    """Pictures to be painted."""
    style: SourceConfig = field(default_factory=SourceConfig)
    """Pictures to paint with."""
    tone: Tone = "match"
    """match: content is brought into the style's mean and spread of luminance, so that a dark style can paint a
    bright picture. keep: content stays as it is (the paper says nothing of either)."""
    crops: CropConfig = field(default_factory=CropConfig)
    """What a batch is made of."""
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """The model."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Its opponent in training."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """Adam, and the precision."""
    workers: int = 1
    """Training processes, each with a GPU where the cluster has any."""
    max_failures: int = 3
    """How often lost workers are replaced before the job gives up."""
    checkpoint_every: int = 500
    """Steps from one checkpoint to the next."""
    log_every: int = 20
    """Steps from one entry of the loss curves to the next."""
    sheet_every: int = 500
    """Steps from one sample sheet to the next."""
    out: str = "runs"
    """Folder (any URL Ray Train can write to) that gets a folder per run."""
    alias: str = "current"
    """Alias that the registered version takes over."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: bool = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        for name in ("steps", "workers", "checkpoint_every", "log_every", "sheet_every"):
            require(getattr(self, name) >= 1, f"{name} >= 1", getattr(self, name), "give a positive number")
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
        plain = self.name.replace("-", "").replace("_", "").replace(".", "")
        require(plain.isalnum(), "a name of letters, digits, '-', '_' and '.'", self.name, "rename it")


@dataclass(frozen=True, kw_only=True, slots=True)
class PosterConfig:
    """Render a poster of any size by exact tiles. Running the same command again renders what is missing."""

    model: str
    """models:/NAME@ALIAS or models:/NAME/VERSION of the registry, or a folder with generator.safetensors."""
    content: str
    """URL of the picture to paint."""
    out: str
    """URL of the folder that gets the poster."""
    style: tuple[str, ...] = ()
    """URLs of style pictures, folders or globs. Left out: those the model was trained on."""
    width: int | None = None
    """Width of the poster in pixels; the height follows. Left out: the content's own size."""
    templates: int | None = None
    """K, style templates in the memory set. Left out: as many as in training."""
    style_scale: float | None = None
    """Factor by which style pictures are resized. Left out: as in training."""
    tone: Tone | None = None
    """match or keep, see training. Left out: as in training."""
    seed: int = 0
    """Picks the memory set."""
    also: tuple[Extra, ...] = ()
    """Further pictures to write: collage (before refinement) and weights (which template is where, in colour)."""
    sheet: bool = False
    """Also write sheet.png: content, poster, collage and weights side by side, and the style pictures."""
    tile: int = 512
    """Side of a tile in pixels, a multiple of 2^depth. The poster does not depend on it but for rounding."""
    workers: int | None = None
    """Render processes. Left out: one per GPU, or one per CPU where there is none."""
    threads: int = 1
    """CPU threads of each render process; a part of the poster's last bits, unlike the number of processes."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: bool = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        require(self.width is None or self.width >= 1, "width >= 1", self.width, "give pixels")
        require(
            self.templates is None or self.templates >= 1,
            "at least one template (K >= 1)",
            self.templates,
            "raise --templates",
        )
        require(self.style_scale is None or self.style_scale > 0, "style-scale > 0", self.style_scale, "1 keeps it")
        require(self.workers is None or self.workers >= 1, "workers >= 1", self.workers, "leave it out")
        require(self.threads >= 1, "threads >= 1", self.threads, "1 is usual")
        require(self.tile >= 1, "tile >= 1", self.tile, "512 is usual")
