"""A finished poster, as its folder tells of it: what exports, the viewer and every measure are made from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.checks import require
from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.networks.generator import Net, Statistics
from magic.scene.content import Content
from magic.scene.memory import MemorySet, Template
from magic.scene.scene import Scene
from magic.sheets import palette
from pipelines.pictures.reading import read_picture, read_single
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.tone import Tone, match_tone
from pipelines.store.poster_store import PosterStore
from pipelines.store.storage import MANIFEST, absolute, join, read_json

PAINTED = ("output", "collage", "labels")
"""Layers of a store that can be shown."""
REMARKS = ("versions", "measured_error")
"""What a manifest says of a poster without deciding its pixels."""


@dataclass(frozen=True)
class FinishedPoster:
    """A poster's folder. Picklable: workers make parts of exports from it."""

    url: str
    manifest: dict[str, Any]

    @staticmethod
    def at(url: str) -> "FinishedPoster":
        """The poster in a folder.

        Raises:
            ValueError: if the folder is not that of a finished poster.
        """
        found = FinishedPoster.find(url)
        if found is None:
            raise ValueError(
                f"expected the folder of a finished poster, got {url} without a poster's {MANIFEST}; "
                "finish it by running its command again, or name another"
            )
        return found

    @staticmethod
    def find(url: str) -> "FinishedPoster | None":
        """The poster in a folder, or None if there is none."""
        manifest = read_json(join(absolute(url), MANIFEST))
        is_poster = isinstance(manifest, dict) and manifest.get("kind") == "poster"
        return FinishedPoster(absolute(url), manifest) if is_poster else None

    @cached_property
    def store(self) -> PosterStore:
        """Its layers."""
        canvas = Canvas(**self.manifest["canvas"])
        grid = TileGrid(
            height=canvas.height, width=canvas.width, core_px=self.manifest["tile"], halo=Halo(0, 0), multiple=1
        )
        return PosterStore(self.url, grid, canvas, self.manifest["top"])

    @property
    def is_preview(self) -> bool:
        """Whether its statistics are from a few tiles only: its colours are about right."""
        return self.manifest["statistics"] == "preview"  # type: ignore[no-any-return]

    @property
    def copies(self) -> bool:
        """Whether it is made of pieces of its style pictures. A mosaic is painted; its network never sees them."""
        return self.manifest["system"] != "mosaic"  # type: ignore[no-any-return]

    @property
    def decided_by(self) -> dict[str, Any]:
        """All that its pixels depend on."""
        return {name: value for name, value in self.manifest.items() if name not in REMARKS}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what can be shown: layers of the store, and the content where there is one."""
        painted = tuple(name for name in PAINTED if name in self.store.layers)
        return painted + (("content",) if self.manifest["content"] else ())

    @property
    def templates(self) -> tuple[Template, ...]:
        """The memory set, in the order of the label map's numbers."""
        return tuple(Template(**template) for template in self.manifest["templates"])

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """Of every style picture its url, sha256, and its height and width in pixels, as it was used."""
        return self.manifest["style"]["pictures"]  # type: ignore[no-any-return]

    @property
    def colours(self) -> Sequence[tuple[int, int, int]]:
        """The colour of each template on the label map, as on all sheets."""
        return palette(len(self.manifest["templates"]))

    def rgb(self, name: str, box: Box, level: int = 0) -> UInt8[ndarray, "h w 3"]:
        """Part of a layer, counted from the poster's corner, after so many halvings; labels by their colours."""
        if name == "content":
            return Content(self._content, *self.store.size(level)).window(box)
        pixels = self.store.read(name, box, level)
        if name == "labels":
            return np.array(self.colours, np.uint8)[pixels[0]]  # type: ignore[no-any-return]
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))

    def statistics(self, sweeps: Mapping[Net, int]) -> Statistics:
        """The statistics that it was painted with: of each network, so many.

        Raises:
            ValueError: if any of them is missing, or they are others than those it was painted with.
        """
        found: Statistics = {}
        for net, number in sweeps.items():
            moments = [self.store.load_statistics(net, n).moments for n in range(number)]
            found[net] = [m for m in moments if m is not None]
            if len(found[net]) < number:
                raise ValueError(
                    f"expected {number} statistics of the {net} network in {self.url}, got {len(found[net])}; "
                    "run the poster's command again"
                )
        require(
            digest_of(found) == self.manifest["statistics_digest"],
            f"the statistics that {self.url} was painted with",
            "others",
            "put its statistics/ back, or paint it anew into another folder",
        )
        return found

    def scene(self) -> Scene:
        """What was painted, to be painted again.

        Raises:
            ValueError: if a picture that it was made from is gone, or is another one now.
        """
        width, height = self.manifest["size"]
        used = sorted({template.picture for template in self.templates})
        memory = MemorySet({number: self.style_picture(number) for number in used}, self.templates)
        content = Content(self._content, height, width) if self.manifest["content"] else None
        return Scene(content, memory, self.store.canvas)

    def whole(self, name: str, level: int = 0) -> UInt8[ndarray, "H W 3"]:
        """All of a layer, for posters and halvings that fit into memory."""
        return self.rgb(name, Box(0, 0, *self.store.size(level)), level)

    def style_picture(self, number: int) -> UInt8[ndarray, "H W 3"]:
        """A style picture at the size at which it was used.

        Raises:
            ValueError: if it is no longer there, or is another one now.
        """
        style, info = self.manifest["style"], self.pictures[number]
        config = SourceConfig(scale=style["scale"], square_px=style["square_px"])
        read = read_picture(info["url"], config, min_side_px=1, name="style")
        _same(info["url"], read.sha256, info["sha256"])
        return read.pixels

    @cached_property
    def _content(self) -> UInt8[ndarray, "h w 3"]:
        """The content's source, in the tone in which it was painted."""
        content = self.manifest["content"]
        read = read_single(content["url"], "content")
        _same(content["url"], read.sha256, content["digest"])
        tones = content["tones"]
        return read.pixels if tones is None else match_tone(read.pixels, *(Tone(*tone) for tone in tones))

    def __getstate__(self) -> dict[str, Any]:
        """Without pixels and open stores: each process reads its own."""
        return {"url": self.url, "manifest": self.manifest}


def digest_of(statistics: Statistics) -> str:
    """One digest of all norms' statistics."""
    digest = hashlib.sha256()
    for moments in (m for net in statistics.values() for m in net):
        digest.update(moments.mean.tobytes() + moments.m2.tobytes())
    return digest.hexdigest()


def _same(url: str, digest: str, expected: str) -> None:
    if digest != expected:
        raise ValueError(
            f"expected the picture that the poster was made from at {url} (SHA-256 {expected[:12]}), "
            f"got another ({digest[:12]}); put the first one back"
        )
