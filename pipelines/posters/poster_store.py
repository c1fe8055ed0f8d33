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
    digests/...                 the digest of each of these files, recorded before it is written

One task writes a shard as a whole. So no two tasks ever touch the same file, and every file that is listed is complete.
Whether it is sound, too, is checked when a process first reads it. `checking` checks all files of a poster: a damaged
one is dropped by the poster's own command, and made anew like any other that is missing.
"""

import re
from collections.abc import Iterable, Iterator
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

from magic.checks import typed_line
from magic.geometry import Box, Canvas, TileGrid
from magic.networks.generator import Net
from magic.networks.norm import Moments
from pipelines.posters.layers import LAYERS
from pipelines.posters.poster_files import DESCRIPTION, TILES, array_folder, damage, shard_file, statistics_file
from pipelines.storage.checked_folder import CheckedFolder
from pipelines.storage.disk import remove_partials
from pipelines.storage.door import exists, for_zarr, join, names_below

CHUNK_PX = 512
"""Side of what is read in one piece."""
BLOCK_PX = 2048
"""Side of what is written in one piece to a pyramid level."""
ZSTD_LEVEL = 1
"""Of the compression of all layers."""
SMALLEST_LEVEL_PX = 512
"""The pyramid ends with the level whose longer side fits into this."""
MAX_REASON = 200
"""Characters of an error of Zarr that are shown."""
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
        made: dict[str, Any] = {}
        group = zarr.open_group(made, mode="a")
        for name in names:
            for level in self._levels(name):
                group.create_array(f"{name}/{level}", **self._settings(name, level))
        for key, description in made.items():
            if not exists(join(self.url, TILES, key)):
                self.folder.write(f"{TILES}/{key}", description.to_bytes())

    @property
    def folder(self) -> CheckedFolder:
        """Its files, and their digests."""
        return CheckedFolder(self.url)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that a painted poster has, in the order of LAYERS."""
        return tuple(name for name in self.possible_layers if not LAYERS[name].is_temporary)

    @property
    def possible_layers(self) -> tuple[str, ...]:
        """Names of the layers that it may have while it is painted."""
        return tuple(name for name, layer in LAYERS.items() if self.top or layer.num_channels is not None)

    def files(self, names: Iterable[str]) -> Iterator[str]:
        """All files of these layers, by their paths below the poster's folder."""
        yield f"{TILES}/{DESCRIPTION}"
        for name in names:
            yield f"{TILES}/{name}/{DESCRIPTION}"
            for level in self._levels(name):
                yield f"{array_folder(name, level)}/{DESCRIPTION}"
                yield from (self._shard(name, level, number) for number in range(len(self._shards(level))))

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
        (number,) = self._shards(level).overlapping(box)
        assert box == self._shards(level)[number].core, box
        made: dict[str, Any] = {}
        array = zarr.create_array(made, **self._settings(name, level))
        array.with_config(ARRAY_CONFIG)[(slice(None), *box.slices)] = pixels
        shard = self._shard(name, level, number)
        self.folder.write(shard, made[shard.removeprefix(f"{array_folder(name, level)}/")].to_bytes())

    def read_canvas(self, name: str, box: Box) -> ndarray:
        """Any part of a layer over the canvas, [C h w].

        Raises:
            ValueError: if a shard in it is damaged or not there.
        """
        return self._read(name, 0, box)

    def read(self, name: str, box: Box, level: int = 0) -> ndarray:
        """Any part of a layer at a pyramid level, [C h w]. The box counts from the poster's corner.

        Raises:
            ValueError: if a shard in it is damaged or not there.
        """
        start = self.canvas.padding_before if level == 0 else 0
        return self._read(name, level, box.shifted(start, start))

    def done(self, name: str, level: int = 0) -> set[int]:
        """Numbers of the tiles or, of other levels, of the blocks that are written; from one listing."""
        shards = (
            re.fullmatch(r"c/0/(\d+)/(\d+)", key) for key in names_below(join(self.url, array_folder(name, level)))
        )
        columns = self._shards(level).columns
        return {int(shard[1]) * columns + int(shard[2]) for shard in shards if shard}

    def drop(self, name: str) -> None:
        """Delete a layer."""
        self.folder.drop_folder(f"{TILES}/{name}")

    def tidy(self) -> None:
        """Delete what killed processes left half written."""
        remove_partials(self.url)

    def load_statistics(self, net: Net, number: int) -> Coverage:
        """What a statistics pass has covered so far; nothing where there is no file, or a damaged one."""
        data = self.folder.read(statistics_file(net, number))
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
        self.folder.replace(statistics_file(net, number), data)

    def adopt_statistics(self, net: Net, number: int, moments: Moments) -> None:
        """Take over the moments of another poster. They cover none of this one's tiles."""
        self.save_statistics(net, number, Coverage(0, moments))

    @cached_property
    def known_sound(self) -> set[str]:
        """Files that this process has checked."""
        return set()

    def _num_channels(self, name: str) -> int:
        channels = LAYERS[name].num_channels
        return self.top if channels is None else channels

    def _levels(self, name: str) -> range:
        return range(1 if LAYERS[name].is_temporary else self.num_levels)

    def _shards(self, level: int) -> TileGrid:
        return self.blocks(level) if level else self.grid

    def _shard(self, name: str, level: int, number: int) -> str:
        row, column = divmod(number, self._shards(level).columns)
        return shard_file(name, level, row, column)

    def _settings(self, name: str, level: int) -> dict[str, Any]:
        """Of the array of a layer at a level."""
        channels, shard_px = self._num_channels(name), self._shards(level).core_px
        chunk = CHUNK_PX if shard_px % CHUNK_PX == 0 else shard_px
        return {
            "shape": (channels, *(self.size(level) if level else (self.grid.height, self.grid.width))),
            "dtype": LAYERS[name].dtype,
            "chunks": (channels, chunk, chunk),
            "shards": (channels, shard_px, shard_px),
            "compressors": ZstdCodec(level=ZSTD_LEVEL),
        }

    def _read(self, name: str, level: int, box: Box) -> ndarray:
        """Part of a layer, in the pixels of its array."""
        description = f"{array_folder(name, level)}/{DESCRIPTION}"
        shards = [self._shard(name, level, number) for number in self._shards(level).overlapping(box)]
        for file in sorted({description, *shards} - self.known_sound):
            fault = self.folder.fault(file)
            if fault is not None:
                raise damage(self.url, file, fault)
            self.known_sound.add(file)
        try:
            array: Any = zarr.open_array(for_zarr(join(self.url, array_folder(name, level))), mode="r")
            pixels = np.asarray(array[(slice(None), *box.slices)])
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            raise damage(self.url, description, f"what Zarr refuses ({typed_line(error)[:MAX_REASON]})") from error
        expected = (self._num_channels(name), box.height, box.width), np.dtype(LAYERS[name].dtype)
        if (pixels.shape, pixels.dtype) != expected:
            raise damage(self.url, description, f"one of another shape or type than {expected}")
        return pixels
