"""The formats that a poster can be written in: one table. Imports nothing heavy.

To add a format, write a function that takes an `ExportRequest`, in its own module, and give it an entry in FORMATS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from magic.checks import require, shown

if TYPE_CHECKING:
    from pipelines.export.request import ExportRequest

TiffCompression = Literal["deflate", "jpeg"]
DEFAULT_DPI = 300.0
MAX_DPI = 65_535
"""The highest resolution that a JPEG can state."""
CM_PER_INCH = 2.54
TIFF_TILE_PX = 512
MAX_SIDE_PX = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """How a file is written."""

    dpi: float = DEFAULT_DPI
    """Dots per inch: tells printers the size, changes no pixel. PNG keeps whole dots per metre, JPEG whole dpi."""
    width_cm: float | None = None
    """Width on paper in centimetres; the dots per inch follow from it."""
    quality: int = 92
    """Of JPEG and of TIFF's JPEG tiles, 1 to 100. Colours are kept at full resolution (4:4:4)."""
    tiff_compression: TiffCompression = "deflate"
    """deflate: keeps every pixel. jpeg: a fraction of the size."""

    def __post_init__(self) -> None:
        require(1 <= self.quality <= 100, "a quality of 1 to 100", self.quality, "92 is usual")
        require(1 <= self.dpi <= MAX_DPI, f"1 to {MAX_DPI} dpi", self.dpi, "300 is usual in print")
        require(self.width_cm is None or self.width_cm > 0, "a width above 0 cm", self.width_cm, "leave it out")

    def dots_per_inch(self, width_px: int) -> float:
        """The resolution at which a poster of this width is printed.

        Raises:
            ValueError: if it is one that no file can state, because width_cm does not suit the pixels.
        """
        if self.width_cm is None:
            return self.dpi
        dpi = width_px / (self.width_cm / CM_PER_INCH)
        require(
            1 <= dpi <= MAX_DPI,
            f"a width on paper that makes 1 to {MAX_DPI} dpi of {width_px} pixels",
            f"{self.width_cm:g} cm, {dpi:.3g} dpi",
            "give the width in centimetres",
        )
        return dpi


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFormat:
    """One format, and all that is known of it."""

    name: str
    """As --formats spells it."""
    endings: tuple[str, ...]
    """Of the names of its files, in lower case; the first one is used where a command chooses the name."""
    max_side_px: int
    """The longest side that it can hold, in pixels."""
    if_too_large: str
    """What to do about a poster that is larger."""
    expected_bytes: Callable[[int, int, ExportOptions], int]
    """Roughly the most that a poster of this height and width takes, in bytes."""
    writer: str
    """module:function that writes it; the module is imported when it is needed. Of a folder, it returns a work."""
    is_folder: bool = False
    """Whether it is a folder with all layers, not a file with one."""

    def check_size(self, url: str, height: int, width: int) -> None:
        """Refuse a poster that the format cannot hold.

        Raises:
            ValueError: if a side is too long.
        """
        require(
            max(height, width) <= self.max_side_px,
            f"at most {self.max_side_px} pixels on a side for {self.name.upper()} ({shown(url)})",
            f"{width} x {height}",
            self.if_too_large,
        )

    def load_writer(self) -> Callable[["ExportRequest"], Any]:
        """The function that writes it."""
        module, function = self.writer.split(":")
        return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _png_bytes(height: int, width: int, options: ExportOptions) -> int:
    """Without any gain from compression; paintings take half to three quarters of it."""
    return (width * 3 + 1) * height * 1001 // 1000 + 4096  # a byte per row names its filter, and chunks have heads


def _jpeg_bytes(height: int, width: int, options: ExportOptions) -> int:
    """Half of the pixels' bytes: paintings take a tenth to a fifth at quality 92, less than half at 100."""
    return height * width * 3 // 2 + 4096


def _tiff_bytes(height: int, width: int, options: ExportOptions) -> int:
    """In whole tiles, the pyramid included, which adds a third. Deflated tiles are counted without any gain."""
    tiles = ceil(height / TIFF_TILE_PX) * ceil(width / TIFF_TILE_PX)
    stored_px = tiles * TIFF_TILE_PX**2 * 4 // 3
    return _jpeg_bytes(stored_px, 1, options) if options.tiff_compression == "jpeg" else stored_px * 3 + 4096


def _viewer_bytes(height: int, width: int, options: ExportOptions) -> int:
    """As JPEGs of all layers."""
    return 4 * _jpeg_bytes(height, width, options)


FORMATS: dict[str, FileFormat] = {
    each.name: each
    for each in (
        FileFormat(
            name="png",
            endings=(".png",),
            max_side_px=MAX_SIDE_PX,
            if_too_large="export fewer pixels",
            expected_bytes=_png_bytes,
            writer="pipelines.export.png:write_png",
        ),
        FileFormat(
            name="tiff",
            endings=(".tif", ".tiff"),
            max_side_px=MAX_SIDE_PX,  # what readers of BigTIFF take
            if_too_large="export fewer pixels",
            expected_bytes=_tiff_bytes,
            writer="pipelines.export.tiff:write_tiff",
        ),
        FileFormat(
            name="jpeg",
            endings=(".jpg", ".jpeg"),
            max_side_px=65_500,  # of libvips; the standard has 65,535
            if_too_large="take .tif, or .png",
            expected_bytes=_jpeg_bytes,
            writer="pipelines.export.jpeg:write_jpeg",
        ),
        FileFormat(
            name="viewer",
            endings=("/",),
            max_side_px=MAX_SIDE_PX,
            if_too_large="export fewer pixels",
            expected_bytes=_viewer_bytes,
            writer="pipelines.export.deepzoom:write_viewer",
            is_folder=True,
        ),
    )
}
"""By name."""
if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(FORMATS)]


def format_of(url: str) -> FileFormat:
    """The format that a URL's ending names.

    Raises:
        ValueError: if the ending is not known.
    """
    for file_format in FORMATS.values():
        if url.lower().endswith(file_format.endings):
            return file_format
    endings = [ending for each in FORMATS.values() if not each.is_folder for ending in each.endings]
    raise ValueError(
        f"expected a file ending in {', '.join(endings)}, got {shown(url)!r}; "
        "choose one of them, or end it in / for a viewer"
    )
