"""`magic export`: a finished poster -> files to print, to edit and to look at."""

from cluster.ray_session import count_cpus, ray_session
from jobs.settings.poster_config import ExportConfig
from magic.checks import require
from pipelines.export.deepzoom import export_deepzoom
from pipelines.export.picture_file import ExportOptions, check_format, expected_bytes, export_file
from pipelines.painting.plan import require_room
from pipelines.store.finished_poster import FinishedPoster

DEEPZOOM = "/"
"""Ending of what is a folder of tiles with a viewer."""


def export(config: ExportConfig) -> list[str]:
    """Write a finished poster as files of any format; returns their URLs.

    Raises:
        ValueError: if there is no finished poster, or a file cannot be what its ending says. Nothing is written then.
        OSError: if a file cannot be written.
        RuntimeError: if tiles of a DeepZoom folder keep failing.
    """
    poster = FinishedPoster.at(config.poster)
    options = ExportOptions(
        dpi=config.dpi,
        width_cm=config.width_cm,
        quality=config.quality,
        tiff_compression=config.tiff_compression,
    )
    files = [url for url in config.to if not url.endswith(DEEPZOOM)]
    folders = [url for url in config.to if url.endswith(DEEPZOOM)]
    check(config, poster, options, files)
    if poster.is_preview:
        print("PREVIEW: its statistics are approximate, and so are the colours of what is written")
    if folders:  # first: one that belongs to something else is found before any file is written
        with ray_session(config.cluster):
            num_workers = config.workers or count_cpus()
            for url in folders:
                print(f"wrote {export_deepzoom(poster, url, num_workers=num_workers, quality=config.quality)}")
    for url in files:
        size_bytes = export_file(poster, config.layer, url, options)
        print(f"wrote {url} ({size_bytes / 1e6:,.1f} MB)")
    return [*files, *folders]


def check(config: ExportConfig, poster: FinishedPoster, options: ExportOptions, files: list[str]) -> None:
    """Find what would fail before anything is written.

    Raises:
        ValueError: for an unknown layer or format, a poster too large for a format, an impossible resolution, or a
            disk without room for a file.
    """
    height, width = poster.store.size()
    layers = ", ".join(poster.layers)
    require(config.layer in poster.layers, f"a layer of {layers}", config.layer, "name one of them")
    options.dots_per_inch(width)
    for url in files:
        kind = check_format(url, height, width)
        packed = kind == "tiff" and options.tiff_compression == "jpeg"
        require_room(url, 0, {url: expected_bytes("jpeg" if packed else kind, height, width)})
