"""A finished poster as a folder that any browser opens: DeepZoom pyramids, and a viewer that knows its sources.

Below the folder::

    index.html, viewer.css, *.js     the viewer; it works from a disk as well as from a web server
    poster.js                        what the viewer knows: sizes, layers, templates, style pictures
    LAYER.dzi                        one DeepZoom pyramid per layer, for other viewers too
    LAYER_files/LEVEL/COL_ROW.jpg    its tiles; of labels PNG, in the palette's exact colours
    labels_data/COL_ROW.js           the numbers themselves, at full resolution: hovering needs each pixel's own
    thumbs/N.jpg                     style picture N, small

DeepZoom counts its levels from 1x1 pixel upwards and the store from full size downwards; both round sides up, so
the store's halvings are the levels. A page opened from a disk may not read the pixels of a picture, nor fetch a
file: it may run scripts, so that is what numbers come in.
"""

import base64
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from fsspec.core import url_to_fs
from numpy import ndarray
from PIL import Image

from magic.checks import require
from magic.geometry import Box, Halo, TileGrid
from pipelines.store.finished_poster import FinishedPoster
from pipelines.store.pyramid import halved
from pipelines.store.storage import absolute, claim, join, read_object, write_object
from pipelines.workers.pool import Hands

VIEWER = Path(__file__).parent / "viewer"
PAGE = "index.html"
TILE_PX = 512
THUMB_PX = 256
THUMB_QUALITY = 85
MOST_ON_PALETTE = 256  # entries that a PNG's palette, and a byte, have
WRITERS = 8  # objects of a block on their way at a time: storage far away answers slowly
DZI = """<?xml version="1.0" encoding="UTF-8"?>
<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="{}" Overlap="0" TileSize="{}">
  <Size Width="{}" Height="{}"/>
</Image>
"""


def export_deepzoom(poster: FinishedPoster, url: str, *, num_workers: int, quality: int) -> str:
    """Write a poster's folder for browsers. The same call again does what is missing and rewrites nothing.

    Args:
        poster: what to write.
        url: of the folder, on any storage; new, or one of the same poster and quality.
        num_workers: processes that write, one CPU and a block of 2048 x 2048 pixels each.
        quality: of the JPEG tiles, 1 to 100. Colours are kept at full resolution (4:4:4).

    Returns:
        The URL of the page to open.

    Raises:
        ValueError: if the folder holds anything else.
        RuntimeError: if parts keep failing, as when a style picture is gone or another one now; what is done is kept.
    """
    require(1 <= quality <= 100, "a quality of 1 to 100", quality, "85 to 92 is usual")
    export = _Export(poster, absolute(url), quality, poster.layers)
    claim(export.url, export.job, "the folder of a DeepZoom export")
    there = export.listed()
    with closing(Hands(export, num_workers)) as hands:
        for _ in hands.each(_write_thumbnail, [n for n in export.pictures if _thumbnail(n) not in there], "thumbnails"):
            pass
        left = [number for number, block in enumerate(export.blocks) if not there.issuperset(block.files)]
        for _ in hands.each(_write_block, left, "DeepZoom tiles"):
            pass
    for name, data in export.page_files():  # the page last: where it is, all else is
        if read_object(join(export.url, name)) != data:
            write_object(join(export.url, name), data)
    return join(export.url, PAGE)


def _file_name(url: str) -> str:
    """What the world may know of where a picture is from: no folders, no query with a key in it."""
    return url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]


def _model_name(uri: str) -> str:
    return uri if uri.startswith("models:/") else _file_name(uri)


class _Tile(NamedTuple):
    """A tile's file, and its pixels' place in the layer."""

    name: str
    box: Box


class _Block(NamedTuple):
    """What one task writes: the tiles in a part of a layer's halving."""

    layer: str
    level: int
    """Halvings."""
    deepzoom_level: int
    box: Box

    @property
    def tiles(self) -> Iterator[_Tile]:
        """All tiles in the block."""
        folder = f"{self.layer}_files/{self.deepzoom_level}"
        return self._cut(folder, "png" if self.layer == "labels" else "jpg")

    @property
    def numbers(self) -> Iterator[_Tile]:
        """Files of the numbers in the block."""
        return self._cut("labels_data", "js") if self.layer == "labels" and self.level == 0 else iter(())

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
    """One poster on its way into one folder. Picklable: workers write their blocks through it."""

    poster: FinishedPoster
    url: str
    quality: int
    layers: tuple[str, ...]

    @property
    def job(self) -> dict[str, Any]:
        """What the folder belongs to."""
        decided_by = json.dumps(self.poster.decided_by, sort_keys=True).encode()
        digest = hashlib.sha256(decided_by).hexdigest()
        return {"kind": "deepzoom", "poster": digest, "quality": self.quality, "tile_px": TILE_PX}

    @property
    def pictures(self) -> list[int]:
        """Numbers of the style pictures that templates show."""
        return sorted({template.picture for template in self.poster.templates})

    @cached_property
    def blocks(self) -> tuple[_Block, ...]:
        """All that is to be written of all layers, down to 1x1 pixel."""
        store = self.poster.store
        most = (max(store.size()) - 1).bit_length()
        blocks = []
        for layer in self.layers:
            for level in range(most + 1):
                # beyond the store's halvings one block is enough: all of them fit into a tile
                cores = [tile.core for tile in store.blocks(level)]
                blocks += [_Block(layer, level, most - level, core) for core in cores]
        return tuple(blocks)

    def listed(self) -> set[str]:
        """Names of the files that are in the folder; each of them is whole."""
        fs, path = url_to_fs(self.url)
        fs.invalidate_cache()
        return {name[len(path.rstrip("/")) + 1 :] for name in fs.find(path)}

    def pixels(self, block: _Block) -> ndarray:
        """A block's pixels, [C h w]; of labels their numbers."""
        store = self.poster.store
        smallest = store.num_levels - 1
        if block.level <= smallest:
            return self._read(block.layer, block.box, block.level)
        pixels = self._read(block.layer, Box(0, 0, *store.size(smallest)), smallest)
        for _ in range(block.level - smallest):
            pixels = halved(block.layer, pixels)
        return pixels

    def encode(self, layer: str, pixels: ndarray) -> bytes:
        """A tile as a file."""
        if layer == "labels":
            return self._label_png(pixels[0])
        picture = pixels.transpose(1, 2, 0).copy()  # not ascontiguousarray: it leaves strange strides on a side of 1
        return bytes(imagecodecs.jpeg8_encode(picture, level=self.quality, subsampling="444"))

    def encode_numbers(self, name: str, labels: ndarray) -> bytes:
        """Label numbers as a script: one byte each, or two (the lower first), deflated."""
        kind = "<u1" if len(self.poster.templates) <= MOST_ON_PALETTE else "<u2"
        packed = base64.b64encode(zlib.compress(labels.astype(kind).tobytes())).decode()
        return f'labelBlock("{Path(name).stem}","{packed}");\n'.encode()

    def page_files(self) -> Iterator[tuple[str, bytes]]:
        """The viewer's files and what it knows; the page last."""
        height, width = self.poster.store.size()
        for layer in self.layers:
            yield f"{layer}.dzi", DZI.format("png" if layer == "labels" else "jpg", TILE_PX, width, height).encode()
        about = json.dumps(self._about(), separators=(",", ":"))
        yield "poster.js", f"const POSTER = {about};\n".encode()
        for path in sorted(VIEWER.iterdir(), key=lambda path: (path.name == PAGE, path.name)):
            yield path.name, path.read_bytes()

    def _about(self) -> dict[str, Any]:
        poster, manifest = self.poster, self.poster.manifest
        height, width = poster.store.size()
        pairs = zip(poster.templates, poster.colours, strict=True)
        sources = {number: poster.pictures[number] for number in self.pictures}
        return {
            "width": width,
            "height": height,
            "tilePx": TILE_PX,
            "layers": self.layers,
            "templates": [template._asdict() | {"colour": colour} for template, colour in pairs],
            "pictures": {
                number: {
                    "name": _file_name(info["url"]),
                    "width": info["width"],
                    "height": info["height"],
                    "thumb": _thumbnail(number),
                }
                for number, info in sources.items()
            },
            "preview": poster.is_preview,
            "copies": poster.copies,
            "warped": manifest["warp"] != "none",
            "resized": manifest["style"]["scale"] != 1 or manifest["style"]["square_px"] is not None,
            "model": manifest["model"] | {"uri": _model_name(manifest["model"]["uri"])},
        }

    def _read(self, layer: str, box: Box, level: int) -> ndarray:
        if layer == "labels":
            return self.poster.store.read(layer, box, level)
        return self.poster.rgb(layer, box, level).transpose(2, 0, 1)

    def _label_png(self, labels: ndarray) -> bytes:
        colours = np.array(self.poster.colours, np.uint8)
        if len(colours) <= MOST_ON_PALETTE:
            image = Image.fromarray(labels.astype(np.uint8))
            image.putpalette(colours.tobytes())
        else:
            image = Image.fromarray(colours[labels])
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()


def _grid(height: int, width: int, side: int) -> Iterator[Box]:
    """Squares of a side that partition a rectangle, but for the last ones."""
    tiles = TileGrid(height=height, width=width, core_px=side, halo=Halo(0, 0), multiple=1)
    return (tile.core for tile in tiles)


def _thumbnail(number: int) -> str:
    return f"thumbs/{number}.jpg"


def _write_thumbnail(export: _Export, number: int) -> None:
    image = Image.fromarray(export.poster.style_picture(number))
    image.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=THUMB_QUALITY)
    write_object(join(export.url, _thumbnail(number)), buffer.getvalue())


def _write_block(export: _Export, number: int) -> None:
    block = export.blocks[number]
    pixels = export.pixels(block)

    def part(tile: _Tile) -> ndarray:
        return pixels[(slice(None), *tile.box.within(block.box).slices)]

    with ThreadPoolExecutor(WRITERS) as threads:
        files = [(tile.name, export.encode(block.layer, part(tile))) for tile in block.tiles]
        files += [(tile.name, export.encode_numbers(tile.name, part(tile)[0])) for tile in block.numbers]
        for written in [threads.submit(write_object, join(export.url, name), data) for name, data in files]:
            written.result()
