"""A source of pictures: surveyed once, then at hand in every process of the cluster."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from threading import Lock
from typing import Any

import ray
from cachetools import LRUCache, cached
from jaxtyping import UInt8
from numpy import ndarray

from magic.checks import printable, require
from pipelines.pictures.decoding import reason_of
from pipelines.pictures.reading import fetch_pixels, picture_shares
from pipelines.pictures.reading_memory import USABLE_SHARE
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.source_records import PictureInfo, SkippedPicture, SourceIdentity, SourceSummary
from pipelines.pictures.tone import Tone, match_tone, pooled, tone_of
from pipelines.progress import progress
from pipelines.storage.door import absolute, is_in_this_process

log = logging.getLogger(__name__)
MAX_IN_FLIGHT = 64
"""Pictures that Ray tasks read at a time."""
MAX_CACHED_BYTES = 1_000_000_000
"""Of decoded pictures that each process remembers, of those that the object store does not hold."""


@dataclass(frozen=True, slots=True)
class Source:
    """The usable pictures of a source, in a fixed order. Any process of the cluster can get their pixels."""

    config: SourceConfig
    pictures: tuple[PictureInfo, ...]
    references: tuple[Any, ...]
    """For each picture the Ray object reference of its pixels, or None for one that is decoded whenever it is used."""
    skipped: tuple[SkippedPicture, ...]
    """The pictures that cannot be used."""
    reader_bytes: int
    """Memory that each process may take that decodes a picture."""
    target_tone: Tone | None = None
    """The tone that every picture is brought into, if any."""

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, number: int) -> UInt8[ndarray, "H W 3"]:
        """The pixels of a picture."""
        reference, info = self.references[number], self.pictures[number]
        pixels: UInt8[ndarray, "H W 3"] = (
            _decoded(info.url, self.config, self.reader_bytes) if reference is None else ray.get(reference)
        )
        return pixels if self.target_tone is None else match_tone(pixels, info.tone, self.target_tone)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of every picture."""
        return [(picture.height, picture.width) for picture in self.pictures]

    @property
    def shares(self) -> list[float]:
        """How often each picture is used, relative to the others."""
        return [picture.share for picture in self.pictures]

    @property
    def tone(self) -> Tone:
        """The tone of all pictures together, as they are stored."""
        tone = pooled((picture.height * picture.width, picture.tone) for picture in self.pictures)
        return Tone(round(tone.mean, 2), round(tone.deviation, 2))  # the same on every kind of processor

    def in_tone(self, tone: Tone) -> "Source":
        """The same source with every picture brought into a tone."""
        return replace(self, target_tone=tone)

    @property
    def digest(self) -> str:
        """One digest of all usable pictures, of their size and of how often each is used."""
        sizing = self.config.square_px or self.config.scale
        parts = [repr(sizing), *(f"{picture.sha256} {picture.share:g}" for picture in self.pictures)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def identity(self) -> SourceIdentity:
        """What makes this source the same again."""
        return SourceIdentity(
            urls=tuple(absolute(url) for url in self.config.urls),
            scale=self.config.scale,
            square_px=self.config.square_px,
            shares=self.config.shares,
            digest=self.digest,
            tone=self.target_tone,
        )

    def summary(self) -> SourceSummary:
        """Its identity and how many pictures it has, for the recipe of a model."""
        identity = self.identity()
        shared = {field.name: getattr(identity, field.name) for field in fields(SourceIdentity)}
        return SourceSummary(**shared, num_pictures=len(self.pictures), num_skipped=len(self.skipped))


def survey(config: SourceConfig, *, min_side_px: int, name: str) -> Source:
    """Read every picture of a source once: check it, digest it and hold it while there is room.

    Ray tasks do the reading, except of memory://, which only this process can see. Unreadable and small
    pictures are logged by name, counted and skipped.

    Args:
        config: where they are.
        min_side_px: shortest side that is of use, after scaling.
        name: what the source is for, in messages.

    Raises:
        ValueError: if a URL leads to nothing, or no picture is left.
    """
    shares, reader_bytes = picture_shares(config), share_of_reader()
    urls = sorted(shares)
    pictures, references, skipped, room = [], [], [], config.hold_megabytes * 1_000_000
    with progress(f"reading {name} pictures", len(urls), "picture") as shown:
        for url, outcome, pixels in _examine_all(urls, config, min_side_px, reader_bytes):
            shown.update()
            if isinstance(outcome, SkippedPicture):
                log.warning("%s: skipped %s: %s", name, outcome.url, outcome.reason)
                skipped.append(outcome)
                continue
            room -= 3 * outcome.height * outcome.width
            pictures.append(replace(outcome, share=shares[url]))
            references.append(pixels if room >= 0 else None)
    _require_usable(pictures, references, skipped, name)
    return Source(config, tuple(pictures), tuple(references), tuple(skipped), reader_bytes)


def _require_usable(
    pictures: Sequence[PictureInfo], references: Sequence[Any], skipped: Sequence[SkippedPicture], name: str
) -> None:
    """Refuse a source without a usable picture, or with pictures that no other process could read."""
    total = len(pictures) + len(skipped)
    if skipped:
        log.warning("%s: %d of %d pictures skipped", name, len(skipped), total)
    first = f"; the first: {skipped[0].url}: {skipped[0].reason}" if skipped else ""
    require(bool(pictures), f"a usable {name} picture among {total}", "none", "give other pictures" + first)
    lost = [
        info.url
        for info, reference in zip(pictures, references, strict=True)
        if reference is None and is_in_this_process(info.url)
    ]
    require(not lost, "room to hold all memory:// pictures", f"{len(lost)} too many", "raise hold-megabytes")


Outcome = PictureInfo | SkippedPicture


def share_of_reader() -> int:
    """Memory that each of the processes may take that read pictures side by side, one for each CPU of the cluster.

    It is the smallest share on any machine, of what was free there when Ray began: the same for the whole session, so
    that which pictures are skipped does not depend on what else runs just then.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return int(USABLE_SHARE * min(machine["memory"] / max(machine["CPU"], 1) for machine in machines))


def _examine_all(
    urls: Sequence[str], config: SourceConfig, min_side_px: int, reader_bytes: int
) -> Iterator[tuple[str, Outcome, Any]]:
    """Each URL with what was found there, and a reference to the pixels."""
    for url in filter(is_in_this_process, urls):
        outcome, pixels = _examine(url, config, min_side_px, reader_bytes)
        yield url, outcome, None if pixels is None else ray.put(pixels)
    elsewhere = [url for url in urls if not is_in_this_process(url)]
    examine = ray.remote(num_returns=2)(_examine)
    for start in range(0, len(elsewhere), MAX_IN_FLIGHT):
        batch = elsewhere[start : start + MAX_IN_FLIGHT]
        references = [examine.remote(url, config, min_side_px, reader_bytes) for url in batch]
        for url, (outcome, pixels) in zip(batch, references, strict=True):
            yield url, ray.get(outcome), pixels


def _examine(url: str, config: SourceConfig, min_side_px: int, reader_bytes: int) -> tuple[Outcome, ndarray | None]:
    """A picture's description and pixels, or why it cannot be used."""
    try:
        data, pixels = fetch_pixels(url, config, reader_bytes)
    except Exception as error:  # noqa: BLE001 - a damaged file can raise anything, and must not end the survey
        return SkippedPicture(url=printable(url), reason=reason_of(error)), None
    height, width, _ = pixels.shape
    if min(height, width) < min_side_px:
        reason = f"too small: {width}x{height}, needs {min_side_px} pixels on each side"
        return SkippedPicture(url=printable(url), reason=reason), None
    digest = hashlib.sha256(data).hexdigest()
    return PictureInfo(url=url, sha256=digest, height=height, width=width, tone=tone_of(pixels)), pixels


@cached(LRUCache(MAX_CACHED_BYTES, getsizeof=lambda pixels: pixels.nbytes), lock=Lock())
def _decoded(url: str, config: SourceConfig, reader_bytes: int) -> ndarray:
    """The pixels of a picture that is not held; each process remembers the ones it used last."""
    return fetch_pixels(url, config, reader_bytes)[1]
