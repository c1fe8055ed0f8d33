"""The poster store: layers in tiles and pyramid levels, normalisation statistics, and what is done of either.

Below the poster's folder::

    job.json                    the identity of the poster's job; another job never continues it
    tiles.zarr/output/0         I    uint8   [3 H W] over the canvas, one shard per tile
    tiles.zarr/collage/0        I_M  uint8   [3 H W]
    tiles.zarr/labels/0         argmax A, uint16 [1 H W]
    tiles.zarr/top_labels/0     the n templates with the largest weights, uint16 [n H W], on request
    tiles.zarr/top_weights/0    their weights, 0 to 255, uint8 [n H W], on request
    tiles.zarr/NAME/1, 2, ...   pyramid levels: the poster without the canvas' padding at 1/2, 1/4, ... of its size
    tiles.zarr/unrefined/0      I_M  float32 [3 H W], until the refiner has seen all of it
    statistics/mixing-03...     moments of each norm, and how many tiles they cover so far

One task writes a shard as a whole. So no two tasks ever touch the same file, and every file that is listed is complete.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
import zarr
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from zarr.codecs import ZstdCodec

from magic.geometry import Box, Canvas, TileGrid
from magic.networks.generator import Net
from magic.networks.norm import Moments
from pipelines.posters.layers import LAYERS
from pipelines.storage.disk import remove_partials
from pipelines.storage.door import (
    for_zarr,
    join,
    names_below,
    names_in,
    read_object,
    remove,
    write_object,
)

CHUNK_PX = 512
"""Side of what is read in one piece."""
BLOCK_PX = 2048
"""Side of what is written in one piece to a pyramid level."""
ZSTD_LEVEL = 1
"""Of the compression of all layers."""
SMALLEST_LEVEL_PX = 512
"""The pyramid ends with the level whose longer side fits into this."""
ARRAY_CONFIG: Any = {"write_empty_chunks": True}  # a black tile is done, too: it must show in the listing


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
    """One poster's layers and statistics. It can be sent to workers, which write their tiles through it."""

    url: str
    grid: TileGrid
    canvas: Canvas
    top: int = 0
    """How many of the largest weights of each pixel top_labels and top_weights hold."""

    def create(self, names: tuple[str, ...]) -> None:
        """Make the arrays of these layers that do not exist yet: over the canvas, and of the pyramid's levels."""
        group = zarr.open_group(for_zarr(self._tiles), mode="a")
        for name in names:
            self._create_array(group, name, 0, (self.grid.height, self.grid.width), self.grid.core_px)
            for level in range(1, 1 if LAYERS[name].is_temporary else self.num_levels):
                self._create_array(group, name, level, self.size(level), BLOCK_PX)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that the poster has to stay, in the order of LAYERS."""
        existing = names_in(self._tiles)
        return tuple(name for name in LAYERS if name in existing and not LAYERS[name].is_temporary)

    @cached_property
    def num_levels(self) -> int:
        """Levels of the pyramid: the poster itself is level 0, each further one is half the size."""
        level = 0
        while max(self.size(level)) > SMALLEST_LEVEL_PX:
            level += 1
        return level + 1

    def size(self, level: int = 0) -> tuple[int, int]:
        """Height and width of a pyramid level, in pixels."""
        return ceil(self.canvas.poster_height / 2**level), ceil(self.canvas.poster_width / 2**level)

    def blocks(self, level: int) -> TileGrid:
        """The blocks of a pyramid level: each is written in one piece or, of level 0, read in one piece."""
        height, width = self.size(level)
        return TileGrid(height=height, width=width, core_px=BLOCK_PX)

    def write(self, name: str, box: Box, pixels: ndarray, level: int = 0) -> None:
        """Write a whole shard in one piece: a tile's core of the canvas or, of other levels, a block."""
        self._array(name, level)[(slice(None), *box.slices)] = pixels

    def read_canvas(self, name: str, box: Box) -> ndarray:
        """Any part of a layer over the canvas, [C h w]."""
        return np.asarray(self._array(name, 0)[(slice(None), *box.slices)])

    def read(self, name: str, box: Box, level: int = 0) -> ndarray:
        """Any part of a layer at a pyramid level, [C h w]. The box counts from the poster's corner."""
        start = self.canvas.padding_before if level == 0 else 0
        return np.asarray(self._array(name, level)[(slice(None), *box.shifted(start, start).slices)])

    def done(self, name: str, level: int = 0) -> set[int]:
        """Numbers of the tiles or, of other levels, of the blocks that are written; from one listing."""
        shards = (re.fullmatch(r"c/0/(\d+)/(\d+)", key) for key in names_below(join(self._tiles, name, str(level))))
        columns = (self.blocks(level) if level else self.grid).columns
        return {int(shard[1]) * columns + int(shard[2]) for shard in shards if shard}

    def drop(self, name: str) -> None:
        """Delete a layer."""
        remove(join(self._tiles, name))

    def tidy(self) -> None:
        """Delete what killed processes left half written."""
        remove_partials(self.url)

    def load_statistics(self, net: Net, number: int) -> Coverage:
        """What a statistics pass has covered so far; nothing where there is no file, or a damaged one."""
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
        """Keep what a statistics pass has covered so far."""
        moments = coverage.moments
        assert moments is not None
        counts = np.array([coverage.num_tiles, moments.count])
        data = save({"counts": counts, "mean": moments.mean, "m2": moments.m2})
        write_object(self._statistics(net, number), data)

    def adopt_statistics(self, net: Net, number: int, moments: Moments) -> None:
        """Take over the moments of another poster. They cover none of this one's tiles."""
        self.save_statistics(net, number, Coverage(0, moments))

    @property
    def _tiles(self) -> str:
        return join(self.url, "tiles.zarr")

    def _create_array(self, group: Any, name: str, level: int, size: tuple[int, int], shard_px: int) -> None:
        layer = LAYERS[name]
        channels = self.top if layer.num_channels is None else layer.num_channels
        chunk = CHUNK_PX if shard_px % CHUNK_PX == 0 else shard_px
        if f"{name}/{level}" not in group:
            group.create_array(
                f"{name}/{level}",
                shape=(channels, *size),
                dtype=layer.dtype,
                chunks=(channels, chunk, chunk),
                shards=(channels, shard_px, shard_px),
                compressors=ZstdCodec(level=ZSTD_LEVEL),
            )

    def _array(self, name: str, level: int) -> Any:
        place = for_zarr(join(self._tiles, name, str(level)))
        return zarr.open_array(place, mode="r+").with_config(ARRAY_CONFIG)

    def _statistics(self, net: Net, number: int) -> str:
        return join(self.url, "statistics", f"{net}-{number:02d}.safetensors")
