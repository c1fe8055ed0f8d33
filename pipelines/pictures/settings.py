"""The settings of where pictures come from and how they are cropped. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Annotated, Literal

from magic.checks import require
from magic.hyperparameters import MAX_TEMPLATES
from magic.options import FREE, PICTURES, check_values

MAX_SCALE = 100
"""Factor by which pictures are enlarged, at most."""
MAX_SIDE_PX = 16_384
"""Of a patch, and of a picture that is made a square."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """Pictures on any storage that fsspec reaches."""

    urls: Annotated[tuple[str, ...], PICTURES] = ()
    """Files, folders (searched deeply) and globs: local paths, s3://bucket/folder, memory://..."""
    scale: float = 1.0
    """Factor by which every picture is resized before it is cropped; a smaller style gives smaller pieces."""
    square_px: int | None = None
    """Scale and trim every picture to a square of this side: for folders of aligned pictures (faces, say) that are
    taken whole. Takes the place of scale."""
    shares: tuple[float, ...] = ()
    """How often each of the urls is used, relative to the others: one number for each. The pictures of a folder divide
    its share evenly; those that turn out to be of no use count, too. Left out: all pictures alike."""
    hold_megabytes: Annotated[int, FREE] = 500
    """Decoded pictures that the object store keeps. Further ones are decoded again whenever they are used."""

    def __post_init__(self) -> None:
        check_values(self)
        require(0 < self.scale <= MAX_SCALE, f"a scale above 0 and up to {MAX_SCALE}", self.scale, "1 keeps the size")
        side = self.square_px
        require(
            side is None or (1 <= side <= MAX_SIDE_PX and self.scale == 1),
            f"square_px in 1..{MAX_SIDE_PX} and no scale",
            side,
            "leave one out",
        )
        require(
            not self.shares or (len(self.shares) == len(self.urls) and min(self.shares) > 0),
            f"a share above 0 for each of the {len(self.urls)} urls",
            list(self.shares),
            "give as many as urls, or none",
        )
        require(self.hold_megabytes >= 0, "hold_megabytes >= 0", self.hold_megabytes, "500 is usual")


@dataclass(frozen=True, kw_only=True, slots=True)
class CropConfig:
    """What a training batch is made of."""

    patch_px: int = 256
    """Side of every patch in pixels, a multiple of 2^depth (appendix II: 256)."""
    num_templates: int = 50
    """K, style patches in each memory set (appendix II: 50 for guided collages)."""
    min_templates: int | None = None
    """Draw K anew for every batch, from this to num_templates (appendix II: 2 to 12 for unguided collages). Left
    out: always num_templates."""
    memory: Literal["random", "fixed"] = "random"
    """random: every set is new. fixed: one set of whole planes, drawn once by the seed; patches of content meet
    what the memory holds at their place (FAMOS)."""
    mirror: bool = True
    """Flip every other style patch left to right."""
    rotate: bool = False
    """Turn style patches by quarter turns at random: for styles without an up and down."""
    batch_size: int = 6
    """B, content patches a worker sees in each step (appendix II: 6 for guided collages)."""
    seed: int = 0
    """Every crop is a function of the seed and the batch's number alone."""
    pool_pictures: int = 64
    """Pictures of one source in use at a time. A folder with more takes turns, so that a picture serves many
    crops each time it is decoded."""
    batches_per_pool: int = 256
    """After so many batches the next pool of pictures takes its turn."""
    data_workers: Annotated[int | None, FREE] = None
    """Ray Data tasks that crop at the same time; left out, Ray Data decides."""

    def __post_init__(self) -> None:
        check_values(self)
        side, k = self.patch_px, self.num_templates
        require(1 <= side <= MAX_SIDE_PX, f"patch_px in 1..{MAX_SIDE_PX}", side, "the paper uses 256")
        require(1 <= k <= MAX_TEMPLATES, f"num_templates (K) in 1..{MAX_TEMPLATES}", k, "the paper uses 50")
        smallest = self.min_templates
        require(
            smallest is None or 1 <= smallest <= self.num_templates,
            f"min_templates in 1..{self.num_templates}",
            smallest,
            "leave it out for a constant K",
        )
        require(
            self.memory == "random" or smallest is None,
            "a constant K for a fixed memory",
            smallest,
            "leave min_templates out",
        )
        require(self.batch_size >= 1, "batch_size >= 1", self.batch_size, "the paper uses 6")
        require(self.pool_pictures >= 1, "pool_pictures >= 1", self.pool_pictures, "64 is usual")
        require(self.batches_per_pool >= 1, "batches_per_pool >= 1", self.batches_per_pool, "256 is usual")
        require(
            self.data_workers is None or self.data_workers >= 1,
            "data_workers >= 1",
            self.data_workers,
            "leave it out",
        )
