"""What records say of a source of pictures: enough to find out whether it is the same again."""

from dataclasses import dataclass

from pipelines.pictures.tone import Tone


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureInfo:
    """What is known of one picture of a source."""

    url: str
    sha256: str
    """Digest of the file."""
    height: int
    """In pixels, after scaling."""
    width: int
    """In pixels, after scaling."""
    tone: Tone
    share: float = 1.0
    """How often it is used, relative to the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedPicture:
    """A picture of a source that cannot be used."""

    url: str
    reason: str
    """In one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceIdentity:
    """What makes a source the same again: no more than decides its pixels."""

    urls: tuple[str, ...]
    """As they were given, local ones absolute. A note: the digest tells whether the pictures are the same."""
    scale: float
    square_px: int | None
    shares: tuple[float, ...]
    digest: str
    """Of all usable pictures, of their size and of how often each is used."""
    tone: Tone | None
    """The tone that every picture is brought into, if any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSummary(SourceIdentity):
    """A source as a model's recipe tells of it. It may have hundreds of thousands of pictures: they are counted."""

    num_pictures: int
    num_skipped: int
