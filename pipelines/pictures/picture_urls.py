"""Which pictures there are under files, folders and patterns, on any storage."""

import logging
from collections.abc import Iterable, Sequence

from magic.checks import printable, require, shown
from pipelines.pictures.decoding import reason_of
from pipelines.storage.addresses import advice_on, is_utf8
from pipelines.storage.door import expand

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""Endings of the files that are taken from folders and patterns. A file that is named by itself may have any."""


def list_pictures(urls: Sequence[str]) -> list[str]:
    """All pictures under files, folders and patterns, sorted, each once.

    Raises:
        ValueError: if there are no URLs, or one of them leads to no picture.
    """
    require(len(urls) >= 1, "at least one URL of pictures", list(urls), "name a file, a folder or a glob")
    return sorted({picture for url in urls for picture in _pictures_at(url)})


def _pictures_at(url: str) -> list[str]:
    try:
        files = expand(url)
    except Exception as error:  # every storage library has errors of its own
        raise ValueError(f"expected pictures at {shown(url)}, got: {reason_of(error)}; {advice_on(url)}") from error
    pictures = [file for file in _nameable(files.urls) if files.is_single or file.lower().endswith(SUFFIXES)]
    require(bool(pictures), f"pictures at {shown(url)}", f"{len(files.urls)} files, no picture", "check the URL")
    return pictures


def _nameable(urls: Iterable[str]) -> list[str]:
    """Those whose names any record can hold; the others are left out, each with a line in the log."""
    nameable = []
    for url in urls:
        if is_utf8(url):
            nameable.append(url)
        else:
            log.warning("left out %s: its name is not UTF-8; rename it", printable(url))
    return nameable
