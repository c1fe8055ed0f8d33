"""Which pictures there are under files, folders and patterns, on any storage."""

import logging
from collections.abc import Sequence

from magic.checks import require, shown
from pipelines.pictures.decoding import reason_of
from pipelines.pictures.formats.known import endings
from pipelines.storage.addresses import advice_on, is_utf8
from pipelines.storage.door import expand, file_name

log = logging.getLogger(__name__)
CACHES = ("@eadir", "__macosx", "#recycle", "$recycle.bin", "thumbs.db", "desktop.ini")
"""What other programs leave beside pictures, in lower case: small copies, deleted files and notes of their own."""
NUM_NAMED = 3
"""Files of those left out that are named as examples."""


def list_pictures(urls: Sequence[str]) -> list[str]:
    """All pictures under files, folders and patterns, sorted, each once.

    From folders and patterns, files are taken whose names have an ending of a format that is read. Hidden files, and
    what other programs keep in folders of their own, are left out; one line in the log says how many, and why. A file
    that is named by itself may have any name.

    Raises:
        ValueError: if there are no URLs, or one of them leads to no picture.
    """
    require(len(urls) >= 1, "at least one URL of pictures", list(urls), "name a file, a folder or a glob")
    return sorted({picture for url in urls for picture in _pictures_at(url)})


def _pictures_at(url: str) -> list[str]:
    require(bool(url.strip()), "the URL of a file, a folder or a glob of pictures", url, "name one")
    try:
        files = expand(url)
    except Exception as error:  # every storage library has errors of its own
        raise ValueError(f"expected pictures at {shown(url)}, got: {reason_of(error)}; {advice_on(url)}") from error
    pictures, left_out = [], dict[str, list[str]]()
    for file in files.urls:
        reason = None if files.is_single else _reason_to_leave_out(file.removeprefix(files.root))
        if reason is None:
            pictures.append(file)
        else:
            left_out.setdefault(reason, []).append(file_name(file))
    advice = "check the URL"
    if "[" in url:
        advice += ", in which [ begins a pattern: write [[] for a [ in a name"
    summary = _summary(left_out, len(files.urls)) if left_out else "no file"
    if not pictures:
        raise ValueError(f"expected pictures at {shown(url)}, got none ({summary}); {advice}")
    if left_out:
        log.warning("%s: %s", url, summary)
    return pictures


def _reason_to_leave_out(path: str) -> str | None:
    """Why a file, by its path below what was named, is none of the pictures; None if it is one."""
    if not is_utf8(path):  # no record could hold it
        return "with a name that is not UTF-8"
    parts = [part for part in path.lower().split("/") if part]
    if any(part.startswith(".") or part in CACHES for part in parts):
        return "hidden, or kept by another program"
    return None if path.lower().endswith(endings()) else "without the ending of a picture format that is read"


def _summary(left_out: dict[str, list[str]], num_files: int) -> str:
    """One line on the files that are left out, with some names; names are quoted, so that none can pass for more."""
    parts = []
    for reason, names in left_out.items():
        some = ", ".join(map(repr, names[:NUM_NAMED])) + (", ..." if len(names) > NUM_NAMED else "")
        parts.append(f"{len(names)} {reason} ({some})")
    return f"left out {sum(map(len, left_out.values()))} of {num_files} files: {'; '.join(parts)}"
