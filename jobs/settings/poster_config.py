"""Settings of posters: how they are painted, written to files and checked. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import Positional

from cluster.connection import ClusterConfig
from jobs.settings.training_config import ToneChoice
from magic.checks import require, require_positive
from magic.hyperparameters import MAX_TEMPLATES, Precision
from magic.options import FREE, MEMORY, PICTURES, PLACE, RESULT, WORDS, check_values
from pipelines.export.formats import FormatName, TiffCompression

Layer = Literal["output", "collage", "labels", "content"]
Mode = Literal["auto", "whole", "tiles", "frozen", "preview"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PosterConfig:
    """Render a poster of any size by exact tiles. Running the same command again renders what is missing."""

    model: Annotated[str, RESULT, PLACE]
    """models:/NAME@ALIAS or models:/NAME/VERSION of the registry, or a folder with generator.safetensors."""
    out: Annotated[str, FREE, PLACE]
    """URL of the folder that gets the poster."""
    content: Annotated[str | None, RESULT, PICTURES] = None
    """URL of the picture to paint. Left out for models that paint without one; these need --width and --height."""
    style: Annotated[tuple[str, ...], MEMORY, PICTURES] = ()
    """URLs of style pictures, folders or globs. Left out: those the model was trained on."""
    width: Annotated[int | None, RESULT] = None
    """Width of the poster in pixels; the height follows. Left out: the content's own size."""
    height: Annotated[int | None, RESULT] = None
    """Height in pixels, of posters without a content."""
    templates: Annotated[int | None, MEMORY] = None
    """K, style templates in the memory set. Left out: as many as in training."""
    style_scale: Annotated[float | None, MEMORY] = None
    """Factor by which style pictures are resized. Left out: as in training."""
    tone: Annotated[ToneChoice | None, RESULT] = None
    """match or keep, see training. Left out: as in training."""
    seed: Annotated[int, MEMORY] = 0
    """Picks the memory set."""
    keep_templates: Annotated[tuple[int, ...], MEMORY] = ()
    """Numbers of templates of an earlier poster (see its sheet) that stay; another seed draws the others anew."""
    keep_from: Annotated[str | None, MEMORY, PLACE] = None
    """Folder of that earlier poster."""
    mirror: Annotated[bool | None, MEMORY] = None
    """Flip every other template left to right. Left out: as in training."""
    rotate: Annotated[bool | None, MEMORY] = None
    """Turn templates by quarter turns at random. Left out: as in training."""
    style_shares: Annotated[tuple[float, ...], MEMORY] = ()
    """How often each of the style URLs is used, relative to the others. Left out: as in training, or all alike."""
    formats: Annotated[tuple[FormatName, ...], FREE] = ("png",)
    """Files to write: png, tiff (BigTIFF with its pyramid), jpeg (up to 65,500 px), viewer (a folder that any browser
    opens). `magic export` writes more of them later."""
    also: Annotated[tuple[Layer, ...], FREE] = ()
    """Further layers to write in each format: collage (before refinement), labels (which template is where, in
    colour), content. A viewer has them all."""
    width_cm: Annotated[float | None, FREE] = None
    """Printed width, kept in the files. Left out: 300 dpi."""
    sheet: Annotated[bool, FREE] = False
    """Also write sheet.png: content, poster, collage and labels side by side, and the style pictures."""
    top: Annotated[int, RESULT] = 0
    """Store the n largest weights of every pixel, too, and whose they are."""
    max_share: Annotated[float | None, FREE] = None
    """Warn of style pictures that cover more than this share of the poster (0.25: a quarter)."""
    mode: Annotated[Mode, RESULT] = "auto"
    """auto: exact, the faster of whole and tiles that fits into memory. whole: one forward pass over the whole canvas,
    on one worker. tiles: tile by tile, the statistics of each norm in a pass over all tiles. frozen: exact tiles with
    the statistics of another poster (--statistics), for series and the frames of a video. preview: quick and
    approximate, statistics from 16 tiles."""
    statistics: Annotated[str | None, RESULT, PLACE] = None
    """Folder of a poster of the same model and templates, whose statistics are used (frozen)."""
    tile: Annotated[int | None, RESULT] = None
    """Side of a tile in pixels, a multiple of 2^depth. Left out: the fastest that fits into memory. Apart
    from rounding, the poster does not depend on it."""
    keep: Annotated[bool | None, RESULT] = None
    """Whether workers keep what they computed of a tile from one statistics pass to the next, as far as memory goes.
    Left out: if that is faster. Apart from rounding, the poster does not depend on it."""
    precision: Annotated[Precision, RESULT] = "fp32"
    """fp32, or bf16 and fp16 for half the memory: exact, too, against one pass in that precision."""
    memory_gb: Annotated[float | None, FREE] = None
    """Memory of each worker for tiles. Left out: a share of what is free where the first one runs."""
    workers: Annotated[int | None, FREE] = None
    """Render processes. Left out: as many as the GPUs hold, or one per CPU where there is none."""
    gpu_share: Annotated[float, FREE] = 1.0
    """Share of a GPU for each worker: 0.25 lets four of them paint on one, for models too small to fill it."""
    threads: Annotated[int, RESULT] = 1
    """CPU threads of each render process; a part of the poster's last bits, unlike the number of processes."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: Annotated[bool, FREE] = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        check_values(self)
        require(
            self.templates is None or 1 <= self.templates <= MAX_TEMPLATES,
            f"templates (K) in 1..{MAX_TEMPLATES}",
            self.templates,
            "leave it out",
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
        require_positive(
            self, "width", "height", "width_cm", "style_scale", "tile", "workers", "memory_gb", "max_share"
        )
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
            self.mode in ("auto", "tiles") or self.keep is None,
            "--keep with statistics passes over all tiles, and only there",
            f"mode={self.mode}, keep={self.keep}",
            "leave it out",
        )

    @property
    def statistics_mode(self) -> Literal["exact", "preview", "frozen"]:
        """Where the poster's normalisation statistics come from."""
        return self.mode if self.mode in ("preview", "frozen") else "exact"

    @property
    def is_whole(self) -> bool | None:
        """Whether the poster is painted in one forward pass; None if the faster way is to be chosen."""
        if self.tile is not None or self.keep is not None:
            return False
        return {"auto": None, "whole": True}.get(self.mode, False)

    @property
    def keeps(self) -> tuple[bool, ...]:
        """The settings of keep to choose from."""
        if self.mode in ("frozen", "preview"):
            return (False,)
        return (False, True) if self.keep is None else (self.keep,)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportConfig:
    """Write a finished poster, or one of its layers, to files for print and screen, in bounded memory."""

    poster: Positional[Annotated[str, RESULT, PLACE]]
    """URL of the poster's folder."""
    to: Positional[Annotated[tuple[str, ...], RESULT, PLACE]]
    """URLs of the files, by ending: .png, .tif (BigTIFF with its pyramid), .jpg (up to 65,500 px); a name that ends
    in / becomes a folder with a viewer that any browser opens, from disk or from a web server or bucket."""
    layer: Annotated[Layer, RESULT] = "output"
    """Which layer; a viewer has them all."""
    width_cm: Annotated[float | None, RESULT] = None
    """Printed width. Left out: dpi decides."""
    dpi: Annotated[float, RESULT] = 300
    """Pixels to an inch, kept in the file."""
    quality: Annotated[int, RESULT] = 92
    """Of JPEG, 1 to 100."""
    tiff_compression: Annotated[TiffCompression, RESULT] = "deflate"
    """deflate keeps every pixel as it is; jpeg is a fraction of the size."""
    workers: Annotated[int | None, FREE] = None
    """Processes that write a viewer. Left out: one per CPU."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where it runs."""

    def __post_init__(self) -> None:
        check_values(self)
        require(bool(self.to), "files to write", "none", "name one, poster.tif say")
        require(1 <= self.quality <= 100, "quality in 1..100", self.quality, "92 is usual")
        require_positive(self, "width_cm", "dpi", "workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyConfig:
    """Check a finished poster: against one pass over the whole canvas where that fits, and region by region."""

    poster: Positional[Annotated[str, RESULT, PLACE]]
    """URL of the poster's folder."""
    whole_px: Annotated[float | None, RESULT] = None
    """Canvases of up to so many pixels are painted again in one pass; of larger ones, a part of that size. Left out:
    4 million, or fewer if memory asks for it."""
    regions: Annotated[int, RESULT] = 8
    """Regions of the finished store to paint again, from the statistics that it was painted with."""
    region_px: Annotated[int, RESULT] = 256
    """Their side in pixels."""
    seed: Annotated[int, RESULT] = 0
    """Picks the regions."""
    threads: Annotated[int | None, FREE] = None
    """CPU threads. Left out: as many as there are."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        for name in ("whole_px", "region_px"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name.replace('_', '-')} >= 1", value, "leave it out")
        require(self.regions >= 0, "regions >= 0", self.regions, "8 is usual")
