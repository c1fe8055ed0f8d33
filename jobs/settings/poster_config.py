"""Settings of posters: how they are painted, written to files and checked. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Literal

from tyro.conf import Positional

from cluster.connection import ClusterConfig
from jobs.settings.training_config import Tone, positive
from magic.checks import require
from magic.hyperparameters import Precision

Layer = Literal["output", "collage", "labels", "content"]
Format = Literal["png", "tiff", "jpeg", "viewer"]
Mode = Literal["auto", "whole", "sweeps", "frozen", "preview"]


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
    """Render processes. Left out: as many as the GPUs hold, or one per CPU where there is none."""
    gpu_share: float = 1.0
    """Share of a GPU for each worker: 0.25 lets four of them paint on one, for models too small to fill it."""
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
        require(0 < self.gpu_share <= 1, "gpu-share above 0, 1 at most", self.gpu_share, "0.25 is four on one GPU")
        require(self.top >= 0, "top >= 0", self.top, "0 stores none")
        positive(self, "width", "height", "width_cm", "style_scale", "tile", "workers", "memory_gb", "max_share")
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

    poster: Positional[str]
    """URL of the poster's folder."""
    to: Positional[tuple[str, ...]]
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
        positive(self, "width_cm", "dpi", "workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyConfig:
    """Check a finished poster: against one pass over the whole canvas where that fits, and region by region."""

    poster: Positional[str]
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
