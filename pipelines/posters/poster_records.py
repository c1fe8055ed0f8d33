"""What is recorded of a poster: the identity of its job, and the manifest that a finished one has."""

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar, Literal

from magic.checks import require
from magic.geometry import Canvas, TileGrid
from magic.hyperparameters import Precision, Warp
from magic.scene.memory import Template
from magic.systems import SYSTEMS, System, SystemTraits
from pipelines.pictures.source_records import PictureInfo, SkippedPicture, SourceIdentity
from pipelines.pictures.tone import Tone
from pipelines.storage.claims import IDENTITY
from pipelines.storage.records import Record, without

MANIFEST = "manifest.json"
"""File of a finished poster. It is written last: where it is, all else is."""
FILES = "files.json"
"""File of a poster that tells how its pictures were written."""
RECORDS = (IDENTITY, MANIFEST, FILES)
"""The records in a poster's folder."""
MAX_TILES = 2**22
"""Of a poster; with tiles of 2048 px it has sides of four million pixels."""
PLAN = frozenset({"plan.tile", "plan.keep"})
"""What an identity says of how a poster is painted. A begun poster goes on so, whatever would be chosen now."""
StatisticsMode = Literal["exact", "preview", "frozen", "group"]
"""Where normalisation statistics come from: all tiles; a few tiles only, which is approximate; another poster; all
tiles of a group of posters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReference:
    """The model that painted a poster."""

    uri: str
    """As it was asked for: models:/NAME/VERSION, or the URL of a folder."""
    digest: str
    """SHA-256 of the model, by which any registry knows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentRecord:
    """The picture that a poster shows."""

    url: str
    digest: str
    """SHA-256 of the file."""
    tone: Literal["match", "keep"]
    tones: tuple[Tone, Tone] | None
    """Its own tone and the one that it was brought into; None where it was kept as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TilingRecord:
    """How the canvas is cut into tiles. It changes the last bits of a poster, and nothing else."""

    tile: int
    """Side of a tile's core in pixels."""
    keep: bool
    """Whether workers keep suspended forward passes from one statistics pass to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PosterIdentity(Record):
    """All that decides a poster's bytes."""

    KIND: ClassVar[str] = "poster"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the identity of a poster's job"
    NOTES: ClassVar[frozenset[str]] = frozenset({"model.uri", "content.url", "style.urls"})

    model: ModelReference
    content: ContentRecord | None
    style: SourceIdentity
    templates: tuple[Template, ...]
    """The memory set, in the order of the label map's numbers."""
    seed: int
    size: tuple[int, int]
    """Width and height in pixels."""
    system: System
    warp: Warp
    plan: TilingRecord
    statistics: StatisticsMode
    frozen: str | None
    """Digest of the statistics that were taken over from another poster, if they were."""
    group: str | None
    """Digest of all posters of the group that it shares its statistics and its tone with, if it is in one."""
    precision: Precision
    threads: int
    top: int
    """How many of the largest weights of each pixel are stored."""

    @property
    def picture_digest(self) -> str:
        """What tells it from other posters, in whatever tiles they are painted."""
        return hashlib.sha256(json.dumps(without(self.deciding(), PLAN), sort_keys=True).encode()).hexdigest()

    @property
    def traits(self) -> SystemTraits:
        """What is known of the system that painted it."""
        return SYSTEMS[self.system]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredError:
    """How far regions of a poster are from the same regions painted anew, in 8-bit levels."""

    regions: int
    mean: float
    maximum: int
    flips: int
    """Pixels that show another template."""
    pixels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest(Record):
    """What a finished poster was made from: enough to paint it again."""

    KIND: ClassVar[str] = "poster manifest"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "a poster's manifest"
    NOTES: ClassVar[frozenset[str]] = frozenset(
        {f"identity.{name}" for name in PosterIdentity.NOTES}
        | {"pictures.url", "skipped", "versions", "measured_error"}
    )

    identity: PosterIdentity
    pictures: tuple[PictureInfo, ...]
    """The style pictures, as they were used; templates name them by their place here."""
    skipped: tuple[SkippedPicture, ...]
    canvas: Canvas
    statistics_digest: str
    versions: dict[str, str]
    """Of the code and of the libraries that decide pixels."""
    measured_error: MeasuredError | None = None

    def __post_init__(self) -> None:
        identity, canvas = self.identity, self.canvas
        size = (canvas.poster_width, canvas.poster_height)
        require(identity.size == size, f"a size of {size}, as the canvas has it", identity.size, "mend it")
        grid = TileGrid(height=canvas.height, width=canvas.width, core_px=identity.plan.tile)
        require(len(grid) <= MAX_TILES, f"at most {MAX_TILES} tiles", len(grid), "mend it")
        shown = {template.picture for template in identity.templates} - set(range(len(self.pictures)))
        require(not shown, f"templates of the {len(self.pictures)} pictures", sorted(shown), "mend it")
        planes = max(len(identity.templates), 1)
        require(0 <= identity.top <= planes, f"top in 0..{planes}", identity.top, "mend it")

    @property
    def pixels_digest(self) -> str:
        """One digest of all that the pixels depend on. Addresses, versions and measured errors only tell of them."""
        return hashlib.sha256(json.dumps(self.deciding(), sort_keys=True).encode()).hexdigest()
