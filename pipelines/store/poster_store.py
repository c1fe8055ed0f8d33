"""The poster store: layers in tiles and halvings, the sweeps' statistics, and what is done of either.

Below the poster's folder::

    job.json                    what makes this poster; another job never continues it
    tiles.zarr/output/0         I    uint8   [3 H W] over the canvas, one shard per tile
    tiles.zarr/collage/0        I_M  uint8   [3 H W]
    tiles.zarr/labels/0         argmax A, uint16 [1 H W]
    tiles.zarr/top_labels/0     the n templates with the largest weights, uint16 [n H W], on request
    tiles.zarr/top_weights/0    their weights, 0 to 255, uint8 [n H W], on request
    tiles.zarr/NAME/1, 2, ...   the poster (without the canvas' bleed) at a half, a quarter, ...
    tiles.zarr/unrefined/0      I_M  float32 [3 H W], until the refiner has seen all of it
    statistics/mixing-03...     moments of each norm, and how many tiles they cover so far

A shard is written whole, by one task: no two tasks ever touch the same file, and what is listed is complete.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from fsspec.core import url_to_fs
from jaxtyping import UInt8
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from zarr.codecs import ZstdCodec

from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.networks.generator import Net
from magic.networks.norm import Moments
from pipelines.store.storage import PARTIAL, join, read_object, write_object

CHUNK_PX, BLOCK_PX = 512, 2048
"""Side of what is read in one piece, and of what is written in one piece to a halving."""
SMALLEST_PX = 512
"""Halvings end where the longer side fits into this."""
ARRAY_CONFIG: Any = {"write_empty_chunks": True}  # a black tile is done too: it must show in the listing
UNREFINED = "unrefined"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Moments of a norm over the first tiles of the grid, in their fixed order."""

    num_tiles: int = 0
    moments: Moments | None = None

    def extended(self, moments: Moments) -> "Coverage":
        """With the next tile's moments."""
        merged = moments if self.moments is None else self.moments.merge(moments)
        return Coverage(self.num_tiles + 1, merged)


@dataclass(frozen=True)
class PosterStore:
    """One poster's layers and statistics. Picklable: workers write their tiles through it."""

    url: str
    grid: TileGrid
    canvas: Canvas
    top: int = 0
    """n of top_labels and top_weights."""

    def create(self, layers: tuple[str, ...]) -> None:
        """Make the arrays that do not exist yet: each layer over the canvas and, but for what is unrefined, its
        halvings.
        """
        core = self.grid.core_px
        group = zarr.open_group(self._tiles, mode="a")
        for name in layers:
            self._make(group, name, 0, (self.grid.height, self.grid.width), core)
            for level in range(1, 1 if name == UNREFINED else self.num_levels):
                self._make(group, name, level, self.size(level), BLOCK_PX)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers there are, in the order in which people want to see them."""
        fs, path = url_to_fs(self._tiles)
        there = {entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)}
        return tuple(name for name in self._kinds if name in there and name != UNREFINED)

    @cached_property
    def num_levels(self) -> int:
        """The poster itself, and its halvings."""
        level = 0
        while max(self.size(level)) > SMALLEST_PX:
            level += 1
        return level + 1

    def size(self, level: int = 0) -> tuple[int, int]:
        """Height and width of the poster after so many halvings, in pixels."""
        return ceil(self.canvas.poster_height / 2**level), ceil(self.canvas.poster_width / 2**level)

    def blocks(self, level: int) -> TileGrid:
        """What is written in one piece to a halving; of level 0, what is read in one piece to make a halving."""
        height, width = self.size(level)
        return TileGrid(height=height, width=width, core_px=BLOCK_PX, halo=Halo(0, 0), multiple=1)

    def write(self, name: str, box: Box, pixels: ndarray, level: int = 0) -> None:
        """Write a tile's core of the canvas, or a block of a halving, a whole shard in one piece."""
        self._array(name, level)[(slice(None), *box.slices)] = pixels

    def read_canvas(self, name: str, box: Box) -> ndarray:
        """Any part of a layer over the canvas, [C h w]."""
        return np.asarray(self._array(name, 0)[(slice(None), *box.slices)])

    def read(self, name: str, box: Box, level: int = 0) -> ndarray:
        """Any part of the poster's layer or of one of its halvings, [C h w]; counted from the poster's corner."""
        start = self.canvas.bleed_before if level == 0 else 0
        return np.asarray(self._array(name, level)[(slice(None), *box.shifted(start, start).slices)])

    def picture(self, name: str, level: int = 0) -> UInt8[ndarray, "H W C"]:
        """All of a layer, for posters and halvings that fit into memory."""
        return np.ascontiguousarray(self.read(name, Box(0, 0, *self.size(level)), level).transpose(1, 2, 0))

    def done(self, name: str, level: int = 0) -> set[int]:
        """Numbers of the tiles, or of a halving's blocks, that are written, from one listing."""
        fs, path = url_to_fs(join(self._tiles, name, str(level)))
        fs.invalidate_cache()
        shards = (re.search(r"/c/0/(\d+)/(\d+)$", key) for key in fs.find(path))
        columns = (self.blocks(level) if level else self.grid).columns
        return {int(m[1]) * columns + int(m[2]) for m in shards if m}

    def drop(self, name: str) -> None:
        """Delete a layer."""
        fs, path = url_to_fs(join(self._tiles, name))
        fs.invalidate_cache()
        if fs.exists(path):
            fs.rm(path, recursive=True)

    def tidy(self) -> None:
        """Remove what killed processes left half written. On object storage nothing ever is."""
        fs, path = url_to_fs(self.url)
        if "file" in fs.protocol:
            for unfinished in Path(path).rglob(f"*{PARTIAL}"):
                unfinished.unlink(missing_ok=True)

    def load_statistics(self, net: Net, number: int) -> Coverage:
        """What a sweep has covered so far; nothing where there is no file or a damaged one."""
        data = read_object(self._statistics(net, number))
        try:
            parts = load(data) if data is not None else None
        except SafetensorError:
            parts = None
        if parts is None:
            return Coverage()
        tiles, count = parts["counts"].tolist()
        return Coverage(tiles, Moments(count, parts["mean"], parts["m2"]))

    def save_statistics(self, net: Net, number: int, coverage: Coverage) -> None:
        """Keep what a sweep has covered so far."""
        moments = coverage.moments
        assert moments is not None
        counts = np.array([coverage.num_tiles, moments.count])
        data = save({"counts": counts, "mean": moments.mean, "m2": moments.m2})
        write_object(self._statistics(net, number), data)

    def adopt_statistics(self, net: Net, number: int, moments: Moments) -> None:
        """Take over the moments of another poster: none of this one's tiles is in them."""
        self.save_statistics(net, number, Coverage(0, moments))

    @property
    def _tiles(self) -> str:
        return join(self.url, "tiles.zarr")

    @property
    def _kinds(self) -> dict[str, tuple[int, str]]:
        """Channels and type of each layer."""
        kinds = {"output": (3, "uint8"), "collage": (3, "uint8"), "labels": (1, "uint16"), UNREFINED: (3, "float32")}
        return kinds | {"top_labels": (self.top, "uint16"), "top_weights": (self.top, "uint8")}

    def _make(self, group: Any, name: str, level: int, size: tuple[int, int], shard_px: int) -> None:
        channels, kind = self._kinds[name]
        chunk = CHUNK_PX if shard_px % CHUNK_PX == 0 else shard_px
        if f"{name}/{level}" not in group:
            group.create_array(
                f"{name}/{level}",
                shape=(channels, *size),
                dtype=kind,
                chunks=(channels, chunk, chunk),
                shards=(channels, shard_px, shard_px),
                compressors=ZstdCodec(level=1),
            )

    def _array(self, name: str, level: int) -> Any:
        return zarr.open_array(join(self._tiles, name, str(level)), mode="r+").with_config(ARRAY_CONFIG)

    def _statistics(self, net: Net, number: int) -> str:
        return join(self.url, "statistics", f"{net}-{number:02d}.safetensors")
