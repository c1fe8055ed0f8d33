"""Files of this machine: only regular ones are read, up to a size, and they are written whole or not at all."""

import hashlib
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magic.checks import shown

PARTIAL = ".partial"
"""Ending of a file that is half written. A killed process may leave some behind; they mean nothing."""
ABANDONED_S = 3600
"""A half-written file that nobody has written to for so long was left by a process that was killed."""
MARK_DIGITS = 16
"""Of the digest by which a half-written file is known to be one of a certain name."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class UnusableFileError(ValueError):
    """What is there is not read: it is no regular file, or too large."""


def read_regular(path: str, max_bytes: int) -> bytes:
    """A file's bytes. Links are followed.

    Raises:
        FileNotFoundError: if there is none.
        UnusableFileError: if it is a folder, a pipe or a device, or larger than that.
    """
    _require_regular(path, Path(path).stat(), max_bytes)  # before it is opened: a device may do something then
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe would wait for its writer
        _require_regular(path, os.fstat(file.fileno()), max_bytes)
        data = file.read(max_bytes + 1)
    require_size(path, len(data), max_bytes)
    return data


def require_size(url: str, size_bytes: int, max_bytes: int) -> None:
    """Refuse a file that is too large to be read.

    Raises:
        UnusableFileError: if it is.
    """
    if size_bytes > max_bytes:
        raise UnusableFileError(
            f"expected at most {max_bytes:,} bytes at {shown(url)}, got {size_bytes:,}; give a smaller file"
        )


def _require_regular(path: str, status: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnusableFileError(f"expected a regular file at {shown(path)}, got {kind_of(status)}; give another")
    require_size(path, status.st_size, max_bytes)


def kind_of(status: os.stat_result) -> str:
    """What something is, in words."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "a file")


@contextmanager
def replacing_local(path: str) -> Iterator[Path]:
    """A file to write beside the path; when the block ends well, it takes its place, otherwise it is removed."""
    target = Path(path)
    unfinished = target.with_name(f"{_mark(target)}.{uuid.uuid4().hex}{PARTIAL}")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_abandoned(path: str) -> None:
    """Delete what killed processes left half written of a file, long ago."""
    target = Path(path)
    for partial in target.parent.glob(f"{_mark(target)}.*{PARTIAL}"):
        if time.time() - partial.stat().st_mtime > ABANDONED_S:
            partial.unlink(missing_ok=True)


def _mark(target: Path) -> str:
    """What the names of half-written files of a target begin with: of one length, whatever its own name."""
    return hashlib.sha256(target.name.encode()).hexdigest()[:MARK_DIGITS]
