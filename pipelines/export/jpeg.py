"""A layer as a JPEG, written by libvips from a stream of rows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyvips

from pipelines.export.png import MM_PER_INCH, png_parts
from pipelines.export.request import ExportRequest


def write_jpeg(request: ExportRequest) -> str:
    """Write the file. libvips reads an uncompressed PNG, part by part.

    Raises:
        OSError: if libvips cannot write.
    """
    height, width = request.poster.store.size()
    with request.open() as (path, reader):
        parts = png_parts(reader.bands(), height, width, dpi=request.dpi, level=0)
        # libvips runs in a thread of its own, because nobody could interrupt this one while it is in there
        with ThreadPoolExecutor(1) as thread, closing(_Stream(parts)) as stream:
            try:
                thread.submit(_save_jpeg, stream, path, request.options.quality, request.dpi).result()
            except pyvips.Error as error:
                raise stream.error or OSError(f"libvips: {' '.join(str(error).split())}") from error
    return request.url


def _save_jpeg(stream: "_Stream", path: Path, quality: int, dpi: float) -> None:
    source = pyvips.SourceCustom()
    source.on_read(stream.read)
    image = pyvips.Image.pngload_source(source, access="sequential", fail_on="warning")
    image = image.copy(xres=dpi / MM_PER_INCH, yres=dpi / MM_PER_INCH)
    # optimize_coding stays off: it would hold the whole picture. The resolution goes into the EXIF, without a time
    image.jpegsave(str(path), Q=quality, subsample_mode="off")


class _Stream:
    """Bytes that libvips reads when it needs them. They end early on an error, or when the stream is closed."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, memoryview(b"")
        self.error: Exception | None = None

    def read(self, size: int) -> memoryview:
        """At most so many of the next bytes; none at the end."""
        try:
            self._rest = self._rest or memoryview(next(self._parts, b""))
        except Exception as error:  # noqa: BLE001 - libvips would swallow it; the waiting thread raises it
            self.error = error
            self.close()
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def close(self) -> None:
        """End the stream. libvips then gives up, because rows are missing."""
        self._parts, self._rest = iter(()), memoryview(b"")
