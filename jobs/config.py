"""The settings of every job: one dataclass each. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Literal

from cluster.config import ClusterConfig
from magic.config import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig, Precision, require
from pipelines.config import CropConfig, SourceConfig

Layer = Literal["output", "collage", "labels", "content"]
Format = Literal["png", "tiff", "jpeg", "viewer"]
Mode = Literal["auto", "whole", "sweeps", "frozen", "preview"]
Tone = Literal["match", "keep"]
Scale = Literal["cpu", "gpu"]
FigureName = Literal["fig2", "fig7", "fig8", "fig9"]


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
    """match: content is brought into the style's mean and spread of coarse luminance, so that a dark style can paint
    a bright picture. keep: content stays as it is (the paper says nothing of either)."""
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
        require(
            self.crops.min_templates is None or self.generator.memory_size is None,
            "a constant K for famos",
            self.crops.min_templates,
            "leave crops.min_templates out",
        )
        size, k = self.generator.memory_size, self.crops.num_templates
        require(size is None or size == k, f"a memory_size of num_templates = {k}", size, "make them equal")
        require(
            self.crops.memory == "random" or self.generator.guided,
            "random memory sets for an unguided model",
            self.crops.memory,
            "a fixed memory lies where the content lies",
        )
        plain = self.name.replace("-", "").replace("_", "").replace(".", "")
        require(plain.isalnum(), "a name of letters, digits, '-', '_' and '.'", self.name, "rename it")


@dataclass(frozen=True, kw_only=True, slots=True)
class PosterConfig:
    """Render a poster of any size by exact tiles. Running the same command again renders what is missing."""

    model: str
    """models:/NAME@ALIAS or models:/NAME/VERSION of the registry, or a folder with generator.safetensors."""
    out: str
    """URL of the folder that gets the poster."""
    content: str | None = None
    """URL of the picture to paint. Left out for models that paint without one; these need --width and --height."""
    style: tuple[str, ...] = ()
    """URLs of style pictures, folders or globs. Left out: those the model was trained on."""
    width: int | None = None
    """Width of the poster in pixels; the height follows. Left out: the content's own size."""
    height: int | None = None
    """Height in pixels, of posters without a content."""
    templates: int | None = None
    """K, style templates in the memory set. Left out: as many as in training."""
    style_scale: float | None = None
    """Factor by which style pictures are resized. Left out: as in training."""
    tone: Tone | None = None
    """match or keep, see training. Left out: as in training."""
    seed: int = 0
    """Picks the memory set."""
    keep_templates: tuple[int, ...] = ()
    """Numbers of templates of an earlier poster (see its sheet) that stay; another seed draws the others anew."""
    keep_from: str | None = None
    """Folder of that earlier poster."""
    mirror: bool | None = None
    """Flip every other template left to right. Left out: as in training."""
    rotate: bool | None = None
    """Turn templates by quarter turns at random. Left out: as in training."""
    style_shares: tuple[float, ...] = ()
    """How often each of the style URLs is used, relative to the others. Left out: as in training, or all alike."""
    formats: tuple[Format, ...] = ("png",)
    """Files to write: png, tiff (BigTIFF with halvings), jpeg (up to 65,500 px), viewer (a folder that any browser
    opens). `magic export` writes more of them later."""
    also: tuple[Layer, ...] = ()
    """Further layers to write in each format: collage (before refinement), labels (which template is where, in
    colour), content. A viewer has them all."""
    width_cm: float | None = None
    """Printed width, kept in the files. Left out: 300 dpi."""
    sheet: bool = False
    """Also write sheet.png: content, poster, collage and labels side by side, and the style pictures."""
    top: int = 0
    """Store the n largest weights of every pixel, too, and whose they are."""
    max_share: float | None = None
    """Warn of style pictures that cover more than this share of the poster (0.25: a quarter)."""
    mode: Mode = "auto"
    """auto: exact, the faster of whole and sweeps that fits into memory. whole: one pass over the whole canvas on one
    worker. sweeps: tile by tile, each norm's statistics in a sweep over all tiles. frozen: exact tiles with the
    statistics of another poster (--statistics), for series and the frames of a video. preview: quick and
    approximate, statistics from 16 tiles."""
    statistics: str | None = None
    """Folder of a poster of the same model and templates, whose statistics are used (frozen)."""
    tile: int | None = None
    """Side of a tile in pixels, a multiple of 2^depth. Left out: the fastest that fits into memory. The poster does
    not depend on it but for rounding."""
    keep: bool | None = None
    """Whether workers keep what they computed of a tile from sweep to sweep, as far as memory goes. Left out: if that
    is faster. The poster does not depend on it but for rounding."""
    precision: Precision = "fp32"
    """fp32, or bf16 and fp16 for half the memory: exact, too, against one pass in that precision."""
    memory_gb: float | None = None
    """Memory of each worker for tiles. Left out: a share of what is free where the first one runs."""
    workers: int | None = None
    """Render processes. Left out: one per GPU, or one per CPU where there is none."""
    threads: int = 1
    """CPU threads of each render process; a part of the poster's last bits, unlike the number of processes."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: bool = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        require(
            self.templates is None or self.templates >= 1,
            "at least one template (K >= 1)",
            self.templates,
            "raise --templates",
        )
        require(
            bool(self.keep_templates) == (self.keep_from is not None) and min(self.keep_templates, default=0) >= 0,
            "numbers of templates to keep together with the poster's folder they are from",
            f"keep-templates={list(self.keep_templates)}, keep-from={self.keep_from}",
            "give both or neither",
        )
        require(self.threads >= 1, "threads >= 1", self.threads, "1 is usual")
        require(self.top >= 0, "top >= 0", self.top, "0 stores none")
        _positive(self, "width", "height", "width_cm", "style_scale", "tile", "workers", "memory_gb", "max_share")
        sized = self.content is None, self.height is not None, self.width is not None
        require(
            sized in ((False, False, False), (False, False, True), (True, True, True)),
            "a content picture, or --width and --height for a poster without one",
            f"content={self.content}, width={self.width}, height={self.height}",
            "give one or the other",
        )
        require(
            (self.mode == "frozen") == (self.statistics is not None),
            "--statistics with --mode frozen, and only there",
            f"mode={self.mode}, statistics={self.statistics}",
            "give both or neither",
        )
        require(
            self.mode != "whole" or self.tile is None, "no --tile for one pass", f"tile={self.tile}", "leave it out"
        )
        require(
            self.mode in ("auto", "sweeps") or self.keep is None,
            "--keep with sweeps over all tiles, and only there",
            f"mode={self.mode}, keep={self.keep}",
            "leave it out",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportConfig:
    """Write a finished poster, or one of its layers, to files for print and screen, in bounded memory."""

    poster: str
    """URL of the poster's folder."""
    to: tuple[str, ...]
    """URLs of the files, by ending: .png, .tif (BigTIFF with halvings), .jpg (up to 65,500 px); a name that ends in /
    becomes a folder with a viewer that any browser opens, from disk or from a web server or bucket."""
    layer: Layer = "output"
    """Which layer; a viewer has them all."""
    width_cm: float | None = None
    """Printed width. Left out: dpi decides."""
    dpi: float = 300
    """Pixels to an inch, kept in the file."""
    quality: int = 92
    """Of JPEG, 1 to 100."""
    tiff_compression: Literal["deflate", "jpeg"] = "deflate"
    """deflate keeps every pixel as it is; jpeg is a fraction of the size."""
    workers: int | None = None
    """Processes that write a viewer. Left out: one per CPU."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where it runs."""

    def __post_init__(self) -> None:
        require(bool(self.to), "files to write", "none", "name one, poster.tif say")
        require(1 <= self.quality <= 100, "quality in 1..100", self.quality, "92 is usual")
        _positive(self, "width_cm", "dpi", "workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyConfig:
    """Check a finished poster: against one pass over the whole canvas where that fits, and region by region."""

    poster: str
    """URL of the poster's folder."""
    whole_px: float | None = None
    """Canvases of up to so many pixels are painted again in one pass; of larger ones, a part of that size. Left out:
    4 million, or fewer if memory asks for it."""
    regions: int = 8
    """Regions of the finished store to paint again, from the statistics that it was painted with."""
    region_px: int = 256
    """Their side in pixels."""
    seed: int = 0
    """Picks the regions."""
    threads: int | None = None
    """CPU threads. Left out: as many as there are."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        for name in ("whole_px", "region_px"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name.replace('_', '-')} >= 1", value, "leave it out")
        require(self.regions >= 0, "regions >= 0", self.regions, "8 is usual")


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """Write sheets of unguided collages: for seeds, for numbers of templates, and between memory sets."""

    model: str
    """models:/NAME@ALIAS or models:/NAME/VERSION of the registry, or a folder with generator.safetensors."""
    out: str
    """URL of the folder that gets collages.png, sets.png and between.png."""
    style: tuple[str, ...] = ()
    """URLs of pictures, folders or globs to make collages of. Left out: those the model was trained on."""
    templates: tuple[int, ...] = (2, 3, 4, 8)
    """Numbers of templates K to show."""
    seeds: int = 6
    """How many memory sets for each K."""
    seed: int = 0
    """The first of the seeds."""
    between: int = 5
    """Pictures from one memory set to the next; 0 for none."""
    size: int | None = None
    """Side of the collages in pixels, a multiple of 2^depth. Left out: as in training."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        require(len(self.templates) >= 1, "at least one number of templates", list(self.templates), "2 3 4 8 is usual")
        require(min(self.templates, default=1) >= 1, "K >= 1", list(self.templates), "raise --templates")
        require(self.seeds >= 1, "seeds >= 1", self.seeds, "6 is usual")
        require(self.between >= 0, "between >= 0", self.between, "0 for none")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreConfig:
    """Measure any pictures: how close to their styles, how true to their content, how they are cut."""

    pictures: tuple[str, ...]
    """URLs of the pictures to be measured: files, folders or globs, or the folders of posters."""
    style: SourceConfig = field(default_factory=SourceConfig)
    """The styles they should be close to, at the scale they were used at. Left out for posters: their own."""
    content: str | None = None
    """URL of the picture they should resemble; it is brought to each one's size. Left out for posters: their own."""
    tile: int | None = None
    """Also look for seams at the borders of tiles of this size in pixels, counted from the upper left corner. Left
    out for posters: their own tiles."""
    json: str | None = None
    """URL of a file that gets the measures, too."""

    def __post_init__(self) -> None:
        require(bool(self.pictures), "pictures to measure", "none", "name files, folders or globs")
        require(self.tile is None or self.tile >= 2, "tile >= 2", self.tile, "give the tiles' size in pixels")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproduceConfig:
    """Train what a figure of the paper needs, on this machine, and write the figure and a table of measures."""

    figure: FigureName
    """fig2: unguided collages of faces. fig7: lambda_E 0.5 and 5. fig8: lambda_TV 1 and 100. fig9: MAGIC, FAMOS and a
    convolutional mosaic on Milan and Arcimboldo."""
    scale: Scale = "cpu"
    """cpu: small models, minutes on two cores. gpu: networks and patches of the paper's size, hours on one GPU."""
    out: str = "out/reproduce"
    """Local folder for checkpoints; the same command goes on from there."""
    results: str | None = None
    """Local folder that gets the sheet and the table. Left out: beside the checkpoints."""
    data: str = "../shared/data"
    """fig9 alone: local folder with milano/, archimboldo.jpg and published/ (the FAMOS repository's samples)."""
    faces: str | None = None
    """fig2 alone: folder of aligned pictures, CelebA's for one. Left out: drawn faces."""
    minutes: float | None = None
    """Training time of each run. Left out: the figure's own."""
    templates: int | None = None
    """fig7 to fig9: K of the pictures that are shown. Left out: the figure's own."""
    dry_run: bool = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        require(self.minutes is None or self.minutes > 0, "minutes > 0", self.minutes, "leave it out")
        require(self.templates is None or self.templates >= 1, "templates >= 1", self.templates, "leave it out")


def _positive(config: object, *names: str) -> None:
    """Refuse settings that are given, but not above zero."""
    for name in names:
        value = getattr(config, name)
        require(value is None or value > 0, f"{name.replace('_', '-')} > 0", value, "leave it out")
