"""Small pictures, for pages that show many."""

import io

from numpy import ndarray
from PIL import Image

from pipelines.storage.door import write_object

THUMB_PX = 256
QUALITY = 85


def write_thumbnail(pixels: ndarray, url: str) -> None:
    """Write a picture as a JPEG whose longer side has at most THUMB_PX pixels.

    Args:
        pixels: 8-bit, [h w] or [h w 3].
        url: of the file.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    write_object(url, buffer.getvalue())
