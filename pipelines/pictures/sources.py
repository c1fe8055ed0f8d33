"""A source of pictures: surveyed once, then at hand in every process of the cluster."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

import ray
from cachetools import LRUCache, cached
from fsspec.core import url_to_fs
from jaxtyping import UInt8
from numpy import ndarray
from tqdm import tqdm

from magic.checks import require
from pipelines.pictures.decoding import read_bytes, reason_of
from pipelines.pictures.reading import decode_for, picture_shares
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.tone import Tone, match_tone, pooled, tone_of
from pipelines.store.storage import absolute

log = logging.getLogger(__name__)
IN_FLIGHT = 64
CACHE_BYTES = 1_000_000_000  # of decoded pictures that each process keeps of those that are not held


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Source:
    """The readable pictures of a source, in a fixed order, each held or to be fetched."""

    config: SourceConfig
    pictures: tuple[PictureInfo, ...]
    held: tuple[Any, ...]
    """For each picture the object reference of its pixels, or None where it is decoded on demand."""
    skipped: tuple[tuple[str, str], ...]
    """URL and reason of every picture that cannot be used."""
    wanted: Tone | None = None
    """The tone that every picture is brought into, if any."""

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, number: int) -> UInt8[ndarray, "H W 3"]:
        """The pixels of a picture."""
        ref, info = self.held[number], self.pictures[number]
        pixels: UInt8[ndarray, "H W 3"] = ray.get(ref) if ref is not None else _fetch(info.url, self.config)
        return pixels if self.wanted is None else match_tone(pixels, info.tone, self.wanted)

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

    def in_tone(self, wanted: Tone) -> "Source":
        """The same source with every picture brought into a tone."""
        return replace(self, wanted=wanted)

    @property
    def digest(self) -> str:
        """One digest of all usable pictures, of their size and of how often each is used."""
        sizing = self.config.square_px or self.config.scale
        parts = [repr(sizing), *(f"{picture.sha256} {picture.share:g}" for picture in self.pictures)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def identity(self) -> dict[str, Any]:
        """What makes this source the same again: no more than decides its pixels."""
        return {
            "urls": [absolute(url) for url in self.config.urls],
            "scale": self.config.scale,
            "square_px": self.config.square_px,
            "shares": list(self.config.shares),
            "digest": self.digest,
            "tone": self.wanted,
        }

    def summary(self) -> dict[str, Any]:
        """For recipes: identity, and how many pictures there are, which may be hundreds of thousands."""
        return {**self.identity(), "num_pictures": len(self.pictures), "num_skipped": len(self.skipped)}

    def describe(self) -> dict[str, Any]:
        """For manifests: identity, and every picture."""
        return {
            **self.identity(),
            "pictures": [asdict(picture) for picture in self.pictures],
            "skipped": [{"url": url, "reason": reason} for url, reason in self.skipped],
        }


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
    shares = picture_shares(config)
    urls = sorted(shares)
    pictures, held, skipped, room = [], [], [], config.hold_megabytes * 1_000_000
    bar = tqdm(total=len(urls), desc=f"reading {name} pictures", unit="picture", disable=len(urls) < 50)
    for url, (found, pixels) in _examined(urls, config, min_side_px):
        bar.update()
        if isinstance(found, str):
            log.warning("%s: skipped %s: %s", name, url, found)
            skipped.append((url, found))
            continue
        room -= 3 * found.height * found.width
        pictures.append(replace(found, share=shares[url]))
        held.append(pixels if room >= 0 else None)
    bar.close()
    if skipped:
        log.warning("%s: %d of %d pictures skipped", name, len(skipped), len(urls))
    first = f"; the first: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
    require(bool(pictures), f"a usable {name} picture among {len(urls)}", "none", "give other pictures" + first)
    in_memory = [p.url for p, ref in zip(pictures, held, strict=True) if ref is None and _only_here(p.url)]
    require(not in_memory, "room to hold all memory:// pictures", f"{len(in_memory)} too many", "raise hold-megabytes")
    return Source(config, tuple(pictures), tuple(held), tuple(skipped))


def _examined(urls: list[str], config: SourceConfig, min_side_px: int) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Each URL with what _examine found and a reference to the pixels."""
    elsewhere = []
    for url in urls:
        if _only_here(url):
            found, pixels = _examine(url, config, min_side_px)
            yield url, (found, None if pixels is None else ray.put(pixels))
        else:
            elsewhere.append(url)
    examine = ray.remote(num_returns=2)(_examine)
    for start in range(0, len(elsewhere), IN_FLIGHT):
        some = elsewhere[start : start + IN_FLIGHT]
        refs = [examine.remote(url, config, min_side_px) for url in some]
        for url, (found, pixels) in zip(some, refs, strict=True):
            yield url, (ray.get(found), pixels)


def _examine(url: str, config: SourceConfig, min_side_px: int) -> tuple[PictureInfo | str, ndarray | None]:
    """A picture's description and pixels, or why it cannot be used."""
    try:
        data = read_bytes(url)
        pixels = decode_for(data, config)
    except Exception as error:  # noqa: BLE001 - a damaged file can raise anything, and must not end the survey
        return reason_of(error), None
    height, width, _ = pixels.shape
    if min(height, width) < min_side_px:
        return f"too small: {width}x{height}, needs {min_side_px} pixels on each side", None
    return PictureInfo(url, hashlib.sha256(data).hexdigest(), height, width, tone_of(pixels)), pixels


@cached(LRUCache(CACHE_BYTES, getsizeof=lambda pixels: pixels.nbytes), lock=Lock())
def _fetch(url: str, config: SourceConfig) -> ndarray:
    return decode_for(read_bytes(url), config)


def _only_here(url: str) -> bool:
    """Whether a URL is of a storage that lives in this process."""
    return "memory" in url_to_fs(url)[0].protocol
