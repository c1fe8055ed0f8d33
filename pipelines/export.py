"""The store's pixels as files that people open."""

import io

from PIL import Image

from magic.tiles import Canvas
from pipelines.images import SRGB
from pipelines.objects import write_object
from pipelines.poster import PosterStore

DPI = (300, 300)


def export_png(store: PosterStore, name: str, canvas: Canvas, url: str) -> None:
    """Write one array's poster as a PNG, tagged sRGB and 300 dpi."""
    write_object(url, encode_png(Image.fromarray(store.picture(name, canvas))))


def encode_png(image: Image.Image) -> bytes:
    """A picture as PNG bytes; the same picture always gives the same bytes."""
    buffer = io.BytesIO()
    # compress_level 1: on painted textures higher levels take four times as long for a few per cent
    image.save(buffer, "PNG", compress_level=1, dpi=DPI, icc_profile=_srgb())
    return buffer.getvalue()


def _srgb() -> bytes:
    """The sRGB profile without the time it was made, which would make every file differ."""
    profile = SRGB.tobytes()
    return profile[:24] + bytes(12) + profile[36:]
