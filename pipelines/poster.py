"""The poster store: arrays whose shards are tiles, the sweeps' statistics, and what is done of either.

Below the poster's folder::

    job.json                 what makes this poster; another job never continues it
    tiles.zarr/collage       I_M  float32 [3 H W] over the canvas, one shard per tile
    tiles.zarr/output        I    uint8   [3 H W]
    tiles.zarr/weights       A in colour, uint8 [3 H W], on request
    statistics/mixing-03...  moments of each norm, and how many tiles they cover so far
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import zarr
from fsspec.core import url_to_fs
from jaxtyping import UInt8
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from zarr.codecs import ZstdCodec

from magic.batch import to_uint8
from magic.generator import Net
from magic.norm import Moments
from magic.tiles import Box, Canvas, TileGrid
from pipelines.objects import join, read_object, write_object

DTYPES = {"collage": "float32", "output": "uint8", "weights": "uint8"}
CHUNK_PX = 512
ARRAY_CONFIG: Any = {"write_empty_chunks": True}  # a black tile is done too: it must show in the listing


@dataclass(frozen=True, slots=True)
class Coverage:
    """Moments of a norm over the first tiles of the grid, in their fixed order."""

    num_tiles: int = 0
    moments: Moments | None = None

    def extended(self, moments: Moments) -> "Coverage":
        """With the next tile's moments."""
        merged = moments if self.moments is None else self.moments.merge(moments)
        return Coverage(self.num_tiles + 1, merged)


@dataclass(frozen=True, slots=True)
class PosterStore:
    """One poster's arrays and statistics. Picklable: workers write their tiles through it."""

    url: str
    grid: TileGrid

    def create(self, arrays: tuple[str, ...]) -> None:
        """Make the arrays that do not exist yet."""
        core = self.grid.core_px
        chunk = CHUNK_PX if core % CHUNK_PX == 0 else core
        group = zarr.open_group(self._tiles, mode="a")
        for name in arrays:
            if name not in group:
                group.create_array(
                    name,
                    shape=(3, self.grid.height, self.grid.width),
                    dtype=DTYPES[name],
                    chunks=(3, chunk, chunk),
                    shards=(3, core, core),
                    compressors=ZstdCodec(level=1),
                )

    def write(self, name: str, core: Box, pixels: ndarray) -> None:
        """Write one tile's core, a whole shard in one piece."""
        self._array(name)[(slice(None), *core.slices)] = pixels

    def read(self, name: str, box: Box) -> ndarray:
        """Any part of an array, [3 h w]."""
        return np.asarray(self._array(name)[(slice(None), *box.slices)])

    def picture(self, name: str, canvas: Canvas) -> UInt8[ndarray, "H W 3"]:
        """The poster's part of an array, as 8-bit RGB."""
        pixels = self.read(name, canvas.poster)
        if pixels.dtype != np.uint8:
            pixels = to_uint8(torch.from_numpy(pixels)).numpy()
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))

    def done(self, name: str) -> set[int]:
        """Numbers of the tiles that are written, from one listing."""
        fs, path = url_to_fs(join(self._tiles, name))
        fs.invalidate_cache()
        shards = (re.search(r"/c/0/(\d+)/(\d+)$", key) for key in fs.find(path))
        return {int(m[1]) * self.grid.columns + int(m[2]) for m in shards if m}

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

    @property
    def _tiles(self) -> str:
        return join(self.url, "tiles.zarr")

    def _array(self, name: str) -> Any:
        return zarr.open_array(join(self._tiles, name), mode="r+").with_config(ARRAY_CONFIG)

    def _statistics(self, net: Net, number: int) -> str:
        return join(self.url, "statistics", f"{net}-{number:02d}.safetensors")
