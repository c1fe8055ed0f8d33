"""`magic export`: a finished poster -> files to print, to edit and to look at."""

from cluster.ray_session import count_cpus, ray_session
from jobs.settings.poster_config import ExportConfig
from magic.checks import printable
from pipelines.export.formats import ExportOptions, format_of
from pipelines.export.request import ExportRequest
from pipelines.painting.disk_space import require_room
from pipelines.posters.checking import require_whole
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import size_bytes
from pipelines.workers.functions import carry_out


def export(config: ExportConfig) -> list[str]:
    """Write a finished poster as files of any format; returns their URLs.

    Raises:
        ValueError: if there is no finished poster, a file cannot be what its ending says, or the disk has no room for
            it. Nothing is written then.
        OSError: if a file cannot be written.
        RuntimeError: if parts of a folder keep failing.
    """
    poster = FinishedPoster.at(config.poster)
    options = ExportOptions(
        dpi=config.dpi, width_cm=config.width_cm, quality=config.quality, tiff_compression=config.tiff_compression
    )
    requests = [ExportRequest(poster=poster, url=url, layer=config.layer, options=options) for url in config.to]
    files = [request for request in requests if not format_of(request.url).is_folder]
    folders = [request for request in requests if format_of(request.url).is_folder]
    for request in requests:
        request.check()
    for request in files:
        require_room(request.url, 0, {request.url: request.expected_bytes})
    require_whole(poster.store)
    if poster.is_preview:
        print("PREVIEW: its statistics are approximate, and so are the colours of what is written")
    if folders:  # first: one that belongs to something else is found before any file is written
        _write_folders(config, folders)
    for request in files:
        carry_out(request.write(), 1)
        print(f"wrote {printable(request.url)} ({size_bytes(request.url) / 1e6:,.1f} MB)")
    return [request.url for request in (*files, *folders)]


def _write_folders(config: ExportConfig, folders: list[ExportRequest]) -> None:
    with ray_session(config.cluster):
        num_workers = config.workers or count_cpus()
        for request in folders:
            print(f"wrote {printable(carry_out(request.write(), num_workers))}")
