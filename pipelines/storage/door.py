"""The one door to storage: local disks, object stores, and whatever else fsspec reaches by a URL.

Everything that is read or written goes through here, except layers (Zarr) and checkpoints (Ray Train), whose libraries
reach storage by themselves; `for_zarr` and `for_ray_train` say how they are given a place.
"""

import mimetypes
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem

from magic.checks import require, shown, typed_line
from pipelines.storage import local_files
from pipelines.storage.addresses import MEMORY, WEB, Address, advice_on, parse
from pipelines.storage.local_files import PARTIAL, UnusableFileError
from pipelines.storage.outputs import require_file

MAX_READ_ATTEMPTS, READ_PAUSE_S = 3, 0.5
MAX_OBJECT_BYTES = 250_000_000
"""Of a record, a table or a page. What has more is none."""
MAX_WEIGHTS_BYTES = 4_000_000_000
"""Of a file of weights."""
MAX_PICTURE_BYTES = 2_000_000_000
"""Of a picture's file."""
STREAM_BYTES = 1_000_000
WILDCARDS = "*?["
"""In patterns of pictures, and nowhere else: every other URL is taken literally."""
NUM_DELETING_THREADS = 8


def join(url: str, *parts: str) -> str:
    """The URL of something below a folder."""
    return "/".join([url.rstrip("/"), *parts])


def absolute(url: str) -> str:
    """The one spelling of an address: a local path absolute, so that other processes find it, without ~ and `..`.

    Raises:
        ValueError: if it is empty, of a protocol that is not taken, or no name that can be written down.
    """
    return parse(url).url


def file_name(url: str) -> str:
    """The last part of a URL: no folders, and no query of a web address, which may hold a key."""
    path = (
        url.split("?")[0] if url.lower().startswith(("http://", "https://")) else url
    )  # elsewhere, ? is a part of the name
    return path.rstrip("/").rsplit("/", 1)[-1]


def is_local(url: str) -> bool:
    """Whether a URL is a path of this machine."""
    return parse(url).is_local


def is_in_this_process(url: str) -> bool:
    """Whether a URL is of memory:// storage, which no other process can see."""
    return parse(url).protocol == MEMORY


def exists(url: str) -> bool:
    """Whether there is a file or folder."""
    with _storage(url) as (fs, path):
        return bool(fs.exists(path))


def is_new(url: str) -> bool:
    """Whether a folder is not there, or holds nothing but files that were never finished."""
    with _storage(url) as (fs, path):
        if not fs.exists(path):
            return True
        return fs.isdir(path) and all(name.endswith(PARTIAL) for name in fs.ls(path, detail=False))


def read_object(url: str, max_bytes: int = MAX_OBJECT_BYTES) -> bytes | None:
    """A file's bytes, or None where there is none.

    Raises:
        ValueError: if it is no regular file, or larger than that.
    """
    with _storage(url) as (fs, path):
        try:
            return _read(fs, path, max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None


def fetch(url: str, max_bytes: int = MAX_PICTURE_BYTES) -> bytes:
    """A file's bytes. Storage that fails is asked again, twice.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no regular file, or larger than that.
        Exception: whatever the storage's library raises, once all attempts failed.
    """
    fs, path = _located(url)
    for attempt in range(1, MAX_READ_ATTEMPTS + 1):
        try:
            return _read(fs, path, max_bytes)
        except (FileNotFoundError, ValueError):
            raise
        except Exception:  # every storage library has errors of its own
            if attempt == MAX_READ_ATTEMPTS:
                raise
            time.sleep(READ_PAUSE_S * 2**attempt)
    raise AssertionError


def _read(fs: AbstractFileSystem, path: str, max_bytes: int) -> bytes:
    if _is_local(fs):
        return local_files.read_regular(path, max_bytes)
    with fs.open(path, "rb") as file:
        local_files.require_size(path, file.size or 0, max_bytes)
        if file.size is not None:
            return file.read()  # type: ignore[no-any-return]
        data = bytearray()
        while part := file.read(STREAM_BYTES):  # a server that does not say how much it sends
            data += part
            local_files.require_size(path, len(data), max_bytes)
        return bytes(data)


def write_object(url: str, data: bytes) -> None:
    """Write a file in one piece: a reader sees all of it, or none of it.

    Object stores work that way. On a local disk, a finished file takes the name's place.

    Raises:
        ValueError: if there is something else than a regular file, or none can be there.
    """
    require_file(url)
    with _storage(url) as (fs, path):
        if not _is_local(fs):
            kind = mimetypes.guess_type(url)[0] if "s3" in fs.protocol else None  # a browser asks the bucket for it
            fs.pipe_file(path, data, **({"ContentType": kind} if kind else {}))
            return
        with local_files.replacing_local(path) as unfinished:
            unfinished.write_bytes(data)


@contextmanager
def replacing(url: str) -> Iterator[Path]:
    """A local file to write. When the block ends well, it becomes the file at the URL; otherwise it is removed.

    For files that are too large to be held in memory. What a killed process left beside the file is removed, too.

    Raises:
        ValueError: if there is something else than a regular file, or none can be there.
    """
    require_file(url)
    address = parse(url)
    if address.is_local:
        with local_files.replacing_local(address.path) as unfinished:
            local_files.remove_abandoned(address.path)
            yield unfinished
        return
    with tempfile.TemporaryDirectory(prefix="magic-export-") as folder:
        finished = Path(folder, f"export{Path(file_name(url)).suffix}")  # its ending tells a bucket what it is
        yield finished
        with _storage(url) as (fs, path):
            fs.put_file(str(finished), path)


def remove(url: str) -> None:
    """Delete a file, or a folder with all that is in it; nothing happens where there is none.

    The URL is taken literally: fsspec's own rm would take `?`, `*` and `[` in it for a pattern, and delete neighbours.
    """
    with _storage(url) as (fs, path):
        if not _is_local(fs):
            with ThreadPoolExecutor(NUM_DELETING_THREADS) as threads:
                list(threads.map(fs.rm_file, fs.find(path)))
        elif Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


def names_in(url: str) -> set[str]:
    """Names of the files and folders in a folder."""
    with _storage(url) as (fs, path):
        return {entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)}


def names_below(url: str) -> set[str]:
    """Names of all files below a folder, relative to it, from a fresh listing; none where there is no folder."""
    with _storage(url) as (fs, path):
        return {name[len(path.rstrip("/")) + 1 :] for name in fs.find(path)}


class Expansion(NamedTuple):
    """The files that a URL stands for."""

    urls: list[str]
    is_single: bool
    """Whether the URL names one file, not a folder or a pattern."""


def expand(url: str) -> Expansion:
    """The files that a URL stands for: the file itself, all files below a folder, or all that fit a pattern.

    Raises:
        Exception: whatever the storage's library raises.
    """
    fs, path = _located(url)
    if fs.isdir(path):
        paths = fs.find(path)
    elif fs.exists(path):
        paths = [path]
    else:
        paths = fs.glob(path) if any(sign in path for sign in WILDCARDS) else []
    urls = [each if _is_local(fs) else fs.unstrip_protocol(each) for each in paths]
    return Expansion(urls, paths == [path])


def size_bytes(url: str) -> int:
    """Size of a file."""
    with _storage(url) as (fs, path):
        return int(fs.size(path))


def for_zarr(url: str) -> str | Path:
    """A place as Zarr takes it: a path, or a URL that Zarr opens by fsspec, with the same settings of the environment.

    Raises:
        ValueError: if Zarr would take it for a chain of protocols.
    """
    address = parse(url)
    require(address.is_local or "::" not in url, "a name of storage without ::", url, "choose another folder")
    return Path(address.path) if address.is_local else address.url


def for_ray_train(url: str) -> tuple[str, PyFileSystem | None]:
    """A place as Ray Train takes it: a path, and the file system that it is a path of, None for this machine's.

    Object storage goes through fsspec, whose library waits for a storage that is away for a while.
    """
    address = parse(url)
    if address.is_local:
        return address.path, None
    fs, path = _on_storage(address, use_listings_cache=False)
    return path, PyFileSystem(FSSpecHandler(fs))


def _is_local(fs: AbstractFileSystem) -> bool:
    return isinstance(fs, LocalFileSystem)


def _located(url: str) -> tuple[Any, str]:
    """The file system that an address is of, and the path on it."""
    address = parse(url)
    return (LocalFileSystem(), address.path) if address.is_local else _on_storage(address)


def _on_storage(address: Address, **options: Any) -> tuple[Any, str]:
    """The file system of a bucket or a host, and the path on it, which is never parsed: nothing in it is special."""
    fs, root = url_to_fs(address.root, **options)
    path = address.path if address.protocol in WEB else address.path.rstrip("/")
    return fs, root + path


@contextmanager
def _storage(url: str) -> Iterator[tuple[Any, str]]:
    """A file system that forgets what it listed before, and the path on it.

    Raises:
        OSError: what went wrong within the block, told with what a user can do about it.
    """
    address = parse(url)
    try:
        fs, path = _located(url)
        fs.invalidate_cache()
        yield fs, path
    except (FileNotFoundError, NotADirectoryError, UnusableFileError):
        raise
    except Exception as error:  # every storage library has errors of its own
        if address.is_local:
            raise
        reason = f"expected storage that answers at {shown(url)}, got {typed_line(error)}; {advice_on(url)}"
        raise OSError(reason) from error
