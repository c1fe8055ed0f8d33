"""Configuration of where pictures come from and how they are cropped. Imports nothing heavy."""

from dataclasses import dataclass

from magic.config import require


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """Pictures on any storage that fsspec reaches."""

    urls: tuple[str, ...] = ()
    """Files, folders (searched deeply) and globs: local paths, s3://bucket/folder, memory://..."""
    scale: float = 1.0
    """Factor by which every picture is resized before it is cropped; a smaller style gives smaller pieces."""
    max_megapixels: float = 500.0
    """Larger pictures are skipped unread: a small file may unpack to fill the memory."""
    hold_megabytes: int = 500
    """Decoded pictures kept in the object store; those beyond it are decoded again when their turn comes."""

    def __post_init__(self) -> None:
        require(self.scale > 0, "a scale > 0", self.scale, "1 keeps the size")
        require(self.max_megapixels > 0, "max_megapixels > 0", self.max_megapixels, "500 is usual")
        require(self.hold_megabytes >= 0, "hold_megabytes >= 0", self.hold_megabytes, "500 is usual")


@dataclass(frozen=True, kw_only=True, slots=True)
class CropConfig:
    """What a training batch is made of."""

    patch_px: int = 256
    """Side of every patch in pixels, a multiple of 2^depth (appendix II: 256)."""
    num_templates: int = 50
    """K, style patches in each memory set (appendix II: 50 for guided collages)."""
    batch_size: int = 6
    """B, content patches a worker sees in each step (appendix II: 6 for guided collages)."""
    seed: int = 0
    """Every crop is a function of the seed and the batch's number alone."""
    pool_pictures: int = 64
    """Pictures of one source in use at a time. A folder with more takes turns, so that a picture serves many
    crops each time it is decoded."""
    batches_per_pool: int = 256
    """After so many batches the next pool of pictures takes its turn."""
    data_workers: int | None = None
    """Ray Data tasks that crop at the same time; left out, Ray Data decides."""

    def __post_init__(self) -> None:
        require(self.patch_px >= 1, "patch_px >= 1", self.patch_px, "the paper uses 256")
        require(
            self.num_templates >= 1,
            "at least one template (K >= 1)",
            self.num_templates,
            "raise num-templates; the paper uses 50",
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
