"""A finished poster, read through its manifest: what exports, the viewer and every measure are made from."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from magic.checks import require, shown
from magic.geometry import Box, TileGrid
from magic.networks.generator import Net, Statistics
from magic.networks.warp import WARPS
from magic.scene.content import Content
from magic.scene.memory import MemorySet
from magic.scene.scene import Scene
from magic.sheets import palette
from pipelines.pictures.reading import read_picture, read_single
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.tone import match_tone
from pipelines.posters.layers import LAYERS
from pipelines.posters.poster_files import damage
from pipelines.posters.poster_records import MANIFEST, Manifest
from pipelines.posters.poster_store import PosterStore
from pipelines.storage.addresses import WEB, parse
from pipelines.storage.checked_folder import CheckedFolder
from pipelines.storage.door import absolute, join, read_object

CONTENT = "content"
"""The picture that a poster shows. It can be shown like a layer, and is read from where it came from."""


@dataclass(frozen=True)
class FinishedPoster:
    """A poster's folder. It can be sent to workers, which make parts of exports from it."""

    url: str
    manifest: Manifest

    @staticmethod
    def at(url: str) -> "FinishedPoster":
        """The poster in a folder.

        Raises:
            ValueError: if the folder is not that of a finished poster, or its manifest is damaged.
        """
        poster = FinishedPoster.find(url)
        if poster is None:
            raise ValueError(
                f"expected the folder of a finished poster, got {shown(url)} without a poster's {MANIFEST}; "
                "finish it by running its command again, or name another"
            )
        return poster

    @staticmethod
    def find(url: str) -> "FinishedPoster | None":
        """The poster in a folder, or None if the folder is not that of a finished poster.

        Raises:
            ValueError: if its manifest is damaged.
        """
        folder = absolute(url)
        data = read_object(join(folder, MANIFEST))
        if data is None:
            return None
        checked = CheckedFolder(folder)
        if checked.is_sound(MANIFEST, data):
            return FinishedPoster(folder, Manifest.from_bytes(data, join(folder, MANIFEST)))
        if checked.recorded(MANIFEST) or Manifest.find(join(folder, MANIFEST)) is not None:
            raise damage(folder, MANIFEST, checked.fault(MANIFEST) or "another one")
        return None

    def record(self) -> None:
        """Write its manifest: where that is, all else is."""
        self.store.folder.replace(MANIFEST, self.manifest.to_bytes())

    @cached_property
    def store(self) -> PosterStore:
        """Its layers."""
        canvas, identity = self.manifest.canvas, self.manifest.identity
        grid = TileGrid(height=canvas.height, width=canvas.width, core_px=identity.plan.tile)
        return PosterStore(self.url, grid, canvas, identity.top)

    @property
    def is_preview(self) -> bool:
        """Whether its statistics are from a few tiles only, so that its colours are only about right."""
        return self.manifest.identity.statistics == "preview"

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what can be shown: layers of the store, and the content where there is one."""
        painted = tuple(name for name in self.store.layers if LAYERS[name].is_picture)
        return painted + ((CONTENT,) if self.manifest.identity.content else ())

    @property
    def is_warped(self) -> bool:
        """Whether the model moved its pieces before it blended them."""
        return WARPS[self.manifest.identity.warp].displacement is not None

    @property
    def used_pictures(self) -> list[int]:
        """Numbers of the style pictures that templates show."""
        return sorted({template.picture for template in self.manifest.identity.templates})

    def holds_labels(self, name: str) -> bool:
        """Whether one of its layers has numbers of templates as values; the content has none."""
        return name != CONTENT and LAYERS[name].holds_labels

    @property
    def colours(self) -> Sequence[tuple[int, int, int]]:
        """The colour of each template on the label map, as on all sheets."""
        return palette(len(self.manifest.identity.templates))

    def rgb(self, name: str, box: Box, level: int = 0) -> UInt8[ndarray, "h w 3"]:
        """Part of a layer at a pyramid level; labels in their colours. The box counts from the poster's corner."""
        if name == CONTENT:
            return Content(self._content, *self.store.size(level)).window(box)
        if LAYERS[name].holds_labels:
            return np.array(self.colours, np.uint8)[self.numbers(name, box, level)[0]]  # type: ignore[no-any-return]
        return np.ascontiguousarray(self.store.read(name, box, level).transpose(1, 2, 0))

    def numbers(self, name: str, box: Box, level: int = 0) -> UInt16[ndarray, "C h w"]:
        """Part of a layer whose values are numbers of templates.

        Raises:
            ValueError: if there are no templates of such numbers.
        """
        numbers, k = self.store.read(name, box, level), len(self.manifest.identity.templates)
        highest = int(numbers.max())
        require(highest < k, f"numbers of {k} templates in the layer {name} of {self.url}", highest, "paint it anew")
        return numbers

    def whole(self, name: str, level: int = 0) -> UInt8[ndarray, "H W 3"]:
        """All of a layer at a pyramid level, where that fits into memory."""
        return self.rgb(name, Box(0, 0, *self.store.size(level)), level)

    def statistics(self, num_statistics: Mapping[Net, int]) -> Statistics:
        """The statistics that it was painted with.

        Args:
            num_statistics: how many each network needs.

        Raises:
            ValueError: if any of them is missing, or they are not those that it was painted with.
        """
        statistics: Statistics = {}
        for net, number in num_statistics.items():
            loaded = [self.store.load_statistics(net, n).moments for n in range(number)]
            statistics[net] = [moments for moments in loaded if moments is not None]
            if len(statistics[net]) < number:
                raise ValueError(
                    f"expected {number} statistics of the {net} network in {self.url}, got {len(statistics[net])}; "
                    "run the poster's command again"
                )
        require(
            digest_of(statistics) == self.manifest.statistics_digest,
            f"the statistics that {self.url} was painted with",
            "others",
            "put its statistics/ back, or paint it anew into another folder",
        )
        return statistics

    def scene(self) -> Scene:
        """What was painted, to be painted again.

        Raises:
            ValueError: if a picture that it was made from is gone, or is another one now.
        """
        identity = self.manifest.identity
        width, height = identity.size
        memory = MemorySet({number: self.style_picture(number) for number in self.used_pictures}, identity.templates)
        content = Content(self._content, height, width) if identity.content else None
        return Scene(content, memory, self.store.canvas)

    def style_picture(self, number: int) -> UInt8[ndarray, "H W 3"]:
        """A style picture at the size at which it was used.

        Raises:
            ValueError: if it is no longer there, or is another one now.
        """
        style, info = self.manifest.identity.style, self.manifest.pictures[number]
        config = SourceConfig(scale=style.scale, square_px=style.square_px)
        with _credentials_explained(info.url):
            picture = read_picture(info.url, config, min_side_px=1, name="style")
        _require_same(info.url, picture.sha256, info.sha256)
        return picture.pixels

    @cached_property
    def _content(self) -> UInt8[ndarray, "h w 3"]:
        """The content's source, in the tone in which it was painted."""
        content = self.manifest.identity.content
        assert content is not None
        with _credentials_explained(content.url):
            picture = read_single(content.url, "content")
        _require_same(content.url, picture.sha256, content.digest)
        return picture.pixels if content.tones is None else match_tone(picture.pixels, *content.tones)

    def __getstate__(self) -> dict[str, Any]:
        """Without pixels and open stores: each process reads its own."""
        return {"url": self.url, "manifest": self.manifest}


def digest_of(statistics: Statistics) -> str:
    """One digest of all norms' statistics."""
    digest = hashlib.sha256()
    for moments in (moments for of_net in statistics.values() for moments in of_net):
        digest.update(moments.mean.tobytes() + moments.m2.tobytes())
    return digest.hexdigest()


@contextmanager
def _credentials_explained(url: str) -> Iterator[None]:
    """Say, where a recorded address of the web cannot be read within the block, how it is given credentials.

    Raises:
        ValueError: the error of the block, with that advice.
    """
    try:
        yield
    except ValueError as error:
        if parse(url).protocol not in WEB:
            raise
        raise ValueError(
            f"{error}; records hold no credentials: if it asks for some, set FSSPEC_HTTP, as docs/security.md says"
        ) from error


def _require_same(url: str, digest: str, expected: str) -> None:
    if digest != expected:
        raise ValueError(
            f"expected the picture that the poster was made from at {url} (SHA-256 {expected[:12]}), "
            f"got another ({digest[:12]}); put the first one back"
        )
