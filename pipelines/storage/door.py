"""The one door to storage: local disks, object stores, and whatever else fsspec reaches by a URL.

Everything that is read or written goes through here, except layers (Zarr) and checkpoints (Ray Train), whose libraries
reach storage by themselves; `for_zarr` and `for_ray_train` say how they are given a place.
"""

import glob
import mimetypes
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem

from magic.redaction import redacted

PARTIAL = ".partial"
"""Ending of a file that is half written. A killed process may leave some behind; they mean nothing."""
ABANDONED_S = 3600
"""A half-written file that nobody has written to for so long was left by a process that was killed."""
MAX_READ_ATTEMPTS, READ_PAUSE_S = 3, 0.5
WILDCARDS = "*?["
"""In patterns of pictures, and nowhere else: every other URL is taken literally."""
NUM_DELETING_THREADS = 8
WEB = ("http://", "https://")


def join(url: str, *parts: str) -> str:
    """The URL of something below a folder."""
    return "/".join([url.rstrip("/"), *parts])


def absolute(url: str) -> str:
    """A local path as an absolute one, so that other processes find it; any other URL as it is."""
    path = url.removeprefix("file://")
    return path if "://" in path or "::" in path else str(Path(path).absolute())


def file_name(url: str) -> str:
    """The last part of a URL: no folders, no credentials, and no query of a web address."""
    url = redacted(url)
    path = url.split("?")[0] if url.startswith(WEB) else url  # elsewhere, ? is a part of the name
    return path.rstrip("/").rsplit("/", 1)[-1]


def is_local(url: str) -> bool:
    """Whether a URL is a path of this machine."""
    return _is_local(url_to_fs(url)[0])


def is_in_this_process(url: str) -> bool:
    """Whether a URL is of memory:// storage, which no other process can see."""
    return isinstance(url_to_fs(url)[0], MemoryFileSystem)


def exists(url: str) -> bool:
    """Whether there is a file or folder."""
    fs, path = _fresh(url)
    return bool(fs.exists(path))


def is_new(url: str) -> bool:
    """Whether a folder is not there, or holds nothing but files that were never finished."""
    fs, path = url_to_fs(url)
    if not fs.exists(path):
        return True
    return fs.isdir(path) and all(name.endswith(PARTIAL) for name in fs.ls(path, detail=False))


def read_object(url: str) -> bytes | None:
    """A file's bytes, or None where there is none."""
    fs, path = url_to_fs(url)
    try:
        return fs.cat_file(path)  # type: ignore[no-any-return]
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def _without_credentials() -> Iterator[None]:
    """Take the credentials of addresses out of errors within the block: the processes of a cluster log them."""
    try:
        yield
    except Exception as error:  # every storage library has errors of its own
        text = redacted(str(error))
        if text == str(error):
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError
        raise kind(text) from None


@_without_credentials()
def fetch(url: str) -> bytes:
    """A file's bytes. Storage that fails is asked again, twice.

    Raises:
        FileNotFoundError: if there is no such file.
        Exception: whatever the storage's library raises, once all attempts failed.
    """
    for attempt in range(1, MAX_READ_ATTEMPTS + 1):
        try:
            with fsspec.open(url, "rb") as file:
                return file.read()  # type: ignore[no-any-return]
        except FileNotFoundError:
            raise
        except Exception:  # every storage library has errors of its own
            if attempt == MAX_READ_ATTEMPTS:
                raise
            time.sleep(READ_PAUSE_S * 2**attempt)
    raise AssertionError


def write_object(url: str, data: bytes) -> None:
    """Write a file in one piece: a reader sees all of it, or none of it.

    Object stores work that way. On a local disk, a finished file takes the name's place.
    """
    fs, path = url_to_fs(url)
    if not _is_local(fs):
        kind = mimetypes.guess_type(url)[0] if "s3" in fs.protocol else None  # a browser asks the bucket for it
        fs.pipe_file(path, data, **({"ContentType": kind} if kind else {}))
        return
    with _replacing_local(Path(path)) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def replacing(url: str) -> Iterator[Path]:
    """A local file to write. When the block ends well, it becomes the file at the URL; otherwise it is removed.

    For files that are too large to be held in memory. What a killed process left beside the file is removed, too.
    """
    fs, target = url_to_fs(url)
    if _is_local(fs):
        with _replacing_local(Path(target)) as unfinished:
            _remove_abandoned(Path(target))
            yield unfinished
        return
    with tempfile.TemporaryDirectory(prefix="magic-export-") as folder:
        finished = Path(folder, file_name(target))  # its ending tells a bucket what it is
        yield finished
        fs.put_file(str(finished), target)


@contextmanager
def _replacing_local(target: Path) -> Iterator[Path]:
    unfinished = Path(f"{target}.{uuid.uuid4().hex}{PARTIAL}")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _remove_abandoned(target: Path) -> None:
    for partial in target.parent.glob(f"{glob.escape(target.name)}.*{PARTIAL}"):
        if time.time() - partial.stat().st_mtime > ABANDONED_S:
            partial.unlink(missing_ok=True)


def remove(url: str) -> None:
    """Delete a file, or a folder with all that is in it; nothing happens where there is none.

    The URL is taken literally: fsspec's own rm would take `?`, `*` and `[` in it for a pattern, and delete neighbours.
    """
    fs, path = _fresh(url)
    if _is_local(fs):
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)
        return
    with ThreadPoolExecutor(NUM_DELETING_THREADS) as threads:
        list(threads.map(fs.rm_file, fs.find(path)))


def remove_partials(url: str) -> None:
    """Delete what killed processes left half written below a folder. On object storage nothing ever is."""
    fs, path = url_to_fs(url)
    if _is_local(fs):
        for partial in Path(path).rglob(f"*{PARTIAL}"):
            partial.unlink(missing_ok=True)


def names_in(url: str) -> set[str]:
    """Names of the files and folders in a folder."""
    fs, path = url_to_fs(url)
    return {entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)}


def names_below(url: str) -> set[str]:
    """Names of all files below a folder, relative to it, from a fresh listing; none where there is no folder."""
    fs, path = _fresh(url)
    return {name[len(path.rstrip("/")) + 1 :] for name in fs.find(path)}


class Expansion(NamedTuple):
    """The files that a URL stands for."""

    urls: list[str]
    is_single: bool
    """Whether the URL names one file, not a folder or a pattern."""


@_without_credentials()
def expand(url: str) -> Expansion:
    """The files that a URL stands for: the file itself, all files below a folder, or all that fit a pattern.

    Raises:
        Exception: whatever the storage's library raises.
    """
    fs, path = url_to_fs(url)
    if fs.isdir(path):
        paths = fs.find(path)
    elif fs.exists(path):
        paths = [path]
    else:
        paths = fs.glob(path) if any(sign in path for sign in WILDCARDS) else []
    return Expansion([fs.unstrip_protocol(each) for each in paths], paths == [path])


def free_space(url: str) -> tuple[Path, int]:
    """The folder of this machine through which files at a URL go, and its free bytes.

    For a local URL that is its own folder, or the nearest one above it that exists; for any other the temporary folder.
    """
    folder = Path(url_to_fs(url)[1]) if is_local(url) else Path(tempfile.gettempdir())
    while not folder.exists():
        folder = folder.parent
    return folder, shutil.disk_usage(folder).free


def size_bytes(url: str) -> int:
    """Size of a file."""
    fs, path = _fresh(url)
    return int(fs.size(path))


def used_bytes(url: str) -> int:
    """Size of all files below a local folder, in bytes; 0 where there is none."""
    return sum(path.stat().st_size for path in Path(url_to_fs(url)[1]).rglob("*") if path.is_file())


def for_zarr(url: str) -> str:
    """A place as Zarr takes it: a URL, too. Zarr opens it by fsspec, with the same settings of the environment."""
    return url


def for_ray_train(url: str) -> tuple[str, PyFileSystem | None]:
    """A place as Ray Train takes it: a path, and the file system that it is a path of, None for this machine's.

    Object storage goes through fsspec, whose library waits for a storage that is away for a while.
    """
    if is_local(url):
        return absolute(url), None
    fs, path = url_to_fs(url, use_listings_cache=False)
    return path, PyFileSystem(FSSpecHandler(fs))


def _is_local(fs: AbstractFileSystem) -> bool:
    return isinstance(fs, LocalFileSystem)


def _fresh(url: str) -> tuple[Any, str]:
    """A file system that forgets what it listed before, and the path on it."""
    fs, path = url_to_fs(url)
    fs.invalidate_cache()
    return fs, path
