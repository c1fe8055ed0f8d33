"""A layer as a BigTIFF in tiles, with its pyramid."""

import os
from typing import Any

import numpy as np
import tifffile

from magic.geometry import round_up
from pipelines.export.formats import TIFF_TILE_PX, ExportOptions
from pipelines.export.png import srgb_profile
from pipelines.export.request import ExportRequest

BUFFER_BYTES = 32 << 20
"""Tiles that wait for a free core."""
DEFLATE_LEVEL = 6


def write_tiff(request: ExportRequest) -> str:
    """Write the file. The store's pyramid levels are the SubIFDs of its page, where viewers look for them."""
    store = request.poster.store
    with request.open(store.num_levels) as (path, reader), tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(store.num_levels):
            size = store.size(level)
            tile = _tile_size(*size)
            file.write(
                reader.tiles(level, tile),
                shape=(*size, 3),
                dtype=np.uint8,
                photometric="rgb",
                tile=tile,
                resolution=(request.dpi / 2**level, request.dpi / 2**level),
                resolutionunit="INCH",
                iccprofile=srgb_profile(),
                metadata=None,
                software=False,
                maxworkers=os.cpu_count(),
                buffersize=BUFFER_BYTES,
                **_compression(request.options),
                **({"subfiletype": 1} if level else {"subifds": store.num_levels - 1}),
            )
    return request.url


def _tile_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the tiles of a level: multiples of 16, and not much larger than the level itself, because
    libvips refuses that.
    """
    return min(round_up(height, 16), TIFF_TILE_PX), min(round_up(width, 16), TIFF_TILE_PX)


def _compression(options: ExportOptions) -> dict[str, Any]:
    if options.tiff_compression == "jpeg":
        return {"compression": "jpeg", "compressionargs": {"level": options.quality}, "subsampling": (1, 1)}
    return {"compression": "adobe_deflate", "compressionargs": {"level": DEFLATE_LEVEL}, "predictor": True}
