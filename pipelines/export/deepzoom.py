"""A finished poster as a folder that any browser opens: DeepZoom pyramids, and a viewer that knows its sources.

Below the folder::

    index.html, viewer.css, *.js     the viewer; it works from a disk as well as from a web server
    poster.js                        what the viewer knows: sizes, layers, templates, style pictures
    LAYER.dzi                        one DeepZoom pyramid per layer, for other viewers, too
    LAYER_files/LEVEL/COL_ROW.jpg    its tiles; of labels PNG, in the palette's exact colours
    labels_data/COL_ROW.js           the label numbers at full resolution: hovering needs the number of each pixel
    thumbs/N.jpg                     style picture N, small

DeepZoom counts its levels from 1x1 pixel upwards and the store from full size downwards. Both round sides up, so the
levels are the same. A page opened from a disk may neither read the pixels of a picture nor fetch a file, but it may run
scripts: so the numbers come as scripts.
"""

import base64
import io
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

import imagecodecs
import numpy as np
from numpy import ndarray
from PIL import Image

from magic.geometry import Box, TileGrid
from pipelines.export.request import ExportRequest
from pipelines.export.thumbnails import write_thumbnail
from pipelines.export.viewer_page import PAGE, TILE_PX, page_files, thumbnail_name, tile_ending
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.pyramid import halved
from pipelines.storage.claims import claim
from pipelines.storage.door import absolute, join, names_below, read_object, write_object
from pipelines.storage.records import Record
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps

MAX_PALETTE = 256
"""Colours that the palette of a PNG can have, and numbers that a byte can have."""
NUM_THREADS = 8
"""Files of a block that are written at a time: distant storage answers slowly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewerIdentity(Record):
    """What decides a viewer's files."""

    KIND: ClassVar[str] = "viewer"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the identity of a viewer"

    poster: str
    """Digest of the poster."""
    quality: int
    tile_px: int


def write_viewer(request: ExportRequest) -> Steps[str]:
    """Write a poster's folder for browsers. The same work again does what is missing and rewrites nothing.

    Args:
        request: its layer plays no part; the folder is new, or one of the same poster and quality.

    Returns:
        The URL of the page to open.

    Raises:
        ValueError: if the folder holds anything else.
        RuntimeError: if parts keep failing, for instance because a style picture is gone or was changed; what is done
            is kept.
    """
    poster = request.poster
    export = _Export(poster, absolute(request.url), request.options.quality, poster.layers)
    claim(export.url, export.identity, "the folder of a DeepZoom export")
    existing = names_below(export.url)
    thumbnails = [number for number in poster.used_pictures if thumbnail_name(number) not in existing]
    blocks = [number for number, block in enumerate(export.blocks) if not existing.issuperset(block.files)]
    shared = Shared(export)
    yield from apply_to_each(shared, _write_thumbnail, thumbnails, "thumbnails")
    yield from apply_to_each(shared, _write_block, blocks, "DeepZoom tiles")
    for name, data in page_files(poster):  # the page last: where it is, all else is
        if read_object(join(export.url, name)) != data:
            write_object(join(export.url, name), data)
    return join(export.url, PAGE)


class _Tile(NamedTuple):
    """A tile's file, and its pixels' place in the layer."""

    name: str
    box: Box


class _Block(NamedTuple):
    """What one task writes: the tiles in one part of a layer's pyramid level."""

    layer: str
    level: int
    """Of the store's pyramid: 0 is full size."""
    deepzoom_level: int
    box: Box
    ending: str
    """Of the tiles' files."""
    has_numbers: bool
    """Whether each tile has a file of label numbers, too."""

    @property
    def tiles(self) -> Iterator[_Tile]:
        """All tiles in the block."""
        folder = f"{self.layer}_files/{self.deepzoom_level}"
        return self._cut(folder, self.ending)

    @property
    def numbers(self) -> Iterator[_Tile]:
        """Files of the numbers in the block."""
        return self._cut("labels_data", "js") if self.has_numbers else iter(())

    @property
    def files(self) -> set[str]:
        """Names of all that the block writes."""
        return {tile.name for tiles in (self.tiles, self.numbers) for tile in tiles}

    def _cut(self, folder: str, ending: str) -> Iterator[_Tile]:
        for tile in _grid(self.box.height, self.box.width, TILE_PX):
            box = tile.shifted(self.box.top, self.box.left)
            yield _Tile(f"{folder}/{box.left // TILE_PX}_{box.top // TILE_PX}.{ending}", box)


@dataclass(frozen=True)
class _Export:
    """One poster that is written into one folder. It can be sent to workers, which write their blocks through it."""

    poster: FinishedPoster
    url: str
    quality: int
    layers: tuple[str, ...]

    @property
    def identity(self) -> ViewerIdentity:
        """What the folder belongs to."""
        return ViewerIdentity(poster=self.poster.manifest.pixels_digest, quality=self.quality, tile_px=TILE_PX)

    @cached_property
    def blocks(self) -> tuple[_Block, ...]:
        """The blocks of all layers, down to the level of 1x1 pixel."""
        return tuple(block for layer in self.layers for block in self._blocks_of(layer))

    def _blocks_of(self, layer: str) -> Iterator[_Block]:
        store, ending = self.poster.store, tile_ending(self.poster, layer)
        has_numbers = self.poster.holds_labels(layer)
        max_level = (max(store.size()) - 1).bit_length()
        for level in range(max_level + 1):  # those smaller than the store's pyramid have one block each
            for tile in store.blocks(level):
                yield _Block(layer, level, max_level - level, tile.core, ending, has_numbers and level == 0)

    def pixels(self, block: _Block) -> ndarray:
        """A block's pixels, [C h w]; of labels their numbers."""
        store = self.poster.store
        smallest = store.num_levels - 1
        if block.level <= smallest:
            return self._read(block.layer, block.box, block.level)
        pixels = self._read(block.layer, Box(0, 0, *store.size(smallest)), smallest)
        for _ in range(block.level - smallest):
            pixels = halved(pixels, has_means=not self.poster.holds_labels(block.layer))
        return pixels

    def encode(self, layer: str, pixels: ndarray) -> bytes:
        """A tile as a file."""
        if self.poster.holds_labels(layer):
            return self._label_png(pixels[0])
        picture = pixels.transpose(1, 2, 0).copy()  # ascontiguousarray would leave odd strides where a side is 1
        return bytes(imagecodecs.jpeg8_encode(picture, level=self.quality, subsampling="444"))

    def encode_numbers(self, name: str, labels: ndarray) -> bytes:
        """Label numbers as a script: one byte each, or two (the lower first), deflated."""
        kind = "<u1" if len(self.poster.manifest.identity.templates) <= MAX_PALETTE else "<u2"
        packed = base64.b64encode(zlib.compress(labels.astype(kind).tobytes())).decode()
        return f'labelBlock("{Path(name).stem}","{packed}");\n'.encode()

    def _read(self, layer: str, box: Box, level: int) -> ndarray:
        if self.poster.holds_labels(layer):
            return self.poster.numbers(layer, box, level)
        return self.poster.rgb(layer, box, level).transpose(2, 0, 1)

    def _label_png(self, labels: ndarray) -> bytes:
        colours = np.array(self.poster.colours, np.uint8)
        if len(colours) <= MAX_PALETTE:
            image = Image.fromarray(labels.astype(np.uint8))
            image.putpalette(colours.tobytes())
        else:
            image = Image.fromarray(colours[labels])
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()


def _grid(height: int, width: int, side: int) -> Iterator[Box]:
    """Squares of a side that partition a rectangle, but for the last ones."""
    tiles = TileGrid(height=height, width=width, core_px=side)
    return (tile.core for tile in tiles)


def _write_thumbnail(export: _Export, number: int) -> None:
    write_thumbnail(export.poster.style_picture(number), join(export.url, thumbnail_name(number)))


def _write_block(export: _Export, number: int) -> None:
    block = export.blocks[number]
    pixels = export.pixels(block)

    def part(tile: _Tile) -> ndarray:
        return pixels[(slice(None), *tile.box.within(block.box).slices)]

    with ThreadPoolExecutor(NUM_THREADS) as threads:
        files = [(tile.name, export.encode(block.layer, part(tile))) for tile in block.tiles]
        files += [(tile.name, export.encode_numbers(tile.name, part(tile)[0])) for tile in block.numbers]
        for future in [threads.submit(write_object, join(export.url, name), data) for name, data in files]:
            future.result()
