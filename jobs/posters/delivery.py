"""What a painted poster's folder gets last: attribution, files, sheet and manifest. What is there is left alone."""

import logging
from dataclasses import dataclass, field, replace
from typing import ClassVar

from jobs.posters.poster_sheet import make_sheet
from jobs.settings.poster_config import PosterConfig
from magic.checks import printable
from pipelines.export import attribution, attribution_files
from pipelines.export.formats import FORMATS, ExportOptions, format_of
from pipelines.export.png import encode_png
from pipelines.export.request import ExportRequest
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import FILES, MeasuredError
from pipelines.storage.door import exists, join, write_object
from pipelines.storage.records import Record
from pipelines.workers.stages import Steps

log = logging.getLogger(__name__)
VIEWER_QUALITY = 88
"""Of the JPEG tiles of a poster's viewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFile:
    """How one of a poster's files was written."""

    layer: str
    width_cm: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFiles(Record):
    """How each of a poster's files was written: the same command leaves those alone."""

    KIND: ClassVar[str] = "poster files"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the record of a poster's files"

    files: dict[str, WrittenFile] = field(default_factory=dict)
    """By name."""


def file_names(config: PosterConfig) -> dict[str, str]:
    """The files and folders that are written into the poster's folder, each with its layer."""
    base = "preview" if config.mode == "preview" else "poster"
    layers = {layer: layer for layer in config.also} | {"output": base}
    formats = [FORMATS[name] for name in config.formats]
    files = {name + each.endings[0]: layer for layer, name in layers.items() for each in formats if not each.is_folder}
    return files | {each.name + each.endings[0]: "output" for each in formats if each.is_folder}


def expected_files(config: PosterConfig, height: int, width: int) -> dict[str, int]:
    """About how large each of them will be, in bytes."""
    options = ExportOptions()
    return {name: format_of(name).expected_bytes(height, width, options) for name in file_names(config)}


def deliver(config: PosterConfig, poster: FinishedPoster, error: MeasuredError | None) -> Steps[str]:
    """Write all of it, the manifest last: it says that all is there. Returns the folder's URL.

    Raises:
        ValueError, OSError, RuntimeError: if a file cannot be written; what is done is kept.
    """
    yield from _attribute(config, poster)
    yield from _write_files(config, poster)
    if config.sheet:
        write_object(join(poster.url, "sheet.png"), encode_png(make_sheet(poster)))
    poster.store.tidy()
    replace(poster, manifest=replace(poster.manifest, measured_error=error)).record()
    return poster.url


def _attribute(config: PosterConfig, poster: FinishedPoster) -> Steps[None]:
    """Find out whose pictures the poster shows, if it shows any, and warn of each that has too large a share."""
    if not poster.manifest.identity.traits.copies_templates:
        return
    pictures = attribution_files.read_pictures(poster.url)
    if pictures is None:
        found = yield from attribution.attribute(poster)
        attribution_files.write(found, poster.url)
        pictures = found.largest_first
    for picture in attribution.above(pictures, config.max_share) if config.max_share else ():
        log.warning("%s covers %.1f %% of the poster", printable(picture.url), 100 * picture.share)


def _write_files(config: PosterConfig, poster: FinishedPoster) -> Steps[None]:
    """Write the files that are not there yet, or were written in another way. Folders complete themselves."""
    files = dict((WrittenFiles.read(join(poster.url, FILES)) or WrittenFiles()).files)
    for name, layer in file_names(config).items():
        url, is_folder = join(poster.url, name), format_of(name).is_folder
        options = ExportOptions(quality=VIEWER_QUALITY) if is_folder else ExportOptions(width_cm=config.width_cm)
        request = ExportRequest(poster=poster, url=url, layer=layer, options=options)
        written = WrittenFile(layer=layer, width_cm=config.width_cm)
        if is_folder:
            yield from request.write()
        elif files.get(name) != written or not exists(url):
            yield from request.write()
            files[name] = written
            poster.store.folder.replace(FILES, WrittenFiles(files=files).to_bytes())
