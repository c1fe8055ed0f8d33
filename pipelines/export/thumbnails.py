"""Small pictures, for pages that show many."""

import io
from dataclasses import dataclass

from numpy import ndarray
from PIL import Image

from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import write_object
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps

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


def show_small(poster: FinishedPoster, url: str) -> Steps[None]:
    """Write a poster's thumbnail: a work of one task."""
    yield from apply_to_each(Shared(_Thumbnail(poster, url)), _write, [0], "thumbnail")


@dataclass(frozen=True)
class _Thumbnail:
    """A poster that is to be shown small."""

    poster: FinishedPoster
    url: str


def _write(thumbnail: _Thumbnail, number: int) -> None:
    poster = thumbnail.poster
    write_thumbnail(poster.whole("output", poster.store.num_levels - 1), thumbnail.url)
