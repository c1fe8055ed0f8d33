"""The one door to storage: local disks, object stores, and whatever else fsspec reaches by a URL.

Everything that is read or written goes through here, except layers (Zarr) and checkpoints (Ray Train), whose libraries
reach storage by themselves; `for_zarr` and `for_ray_train` say how they are given a place.
"""

import hashlib
import mimetypes
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pyarrow.fs import FSSpecHandler, PyFileSystem

from magic.checks import require
from magic.redaction import redacted
from pipelines.storage import local_files
from pipelines.storage.addresses import MEMORY, parse
from pipelines.storage.file_systems import (
    LinkFollowing,
    is_local_disk,
    located,
    on_storage,
    storage,
    without_credentials,
)
from pipelines.storage.local_files import PARTIAL
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
    """The last part of a URL: no folders, no credentials, and no query of a web address."""
    url = redacted(url)
    is_web = url.lower().startswith(("http://", "https://"))
    path = url.split("?")[0] if is_web else url  # elsewhere, ? is a part of the name
    return path.rstrip("/").rsplit("/", 1)[-1]


def is_local(url: str) -> bool:
    """Whether a URL is a path of this machine."""
    return parse(url).is_local


def is_in_this_process(url: str) -> bool:
    """Whether a URL is of memory:// storage, which no other process can see."""
    return parse(url).protocol == MEMORY


def exists(url: str) -> bool:
    """Whether there is a file or folder."""
    with storage(url) as (fs, path):
        return bool(fs.exists(path))


def is_new(url: str) -> bool:
    """Whether a folder is not there, or holds nothing but files that were never finished."""
    with storage(url) as (fs, path):
        if not fs.exists(path):
            return True
        return fs.isdir(path) and all(name.endswith(PARTIAL) for name in fs.ls(path, detail=False))


def read_object(url: str, max_bytes: int = MAX_OBJECT_BYTES) -> bytes | None:
    """A file's bytes, or None where there is none.

    Raises:
        ValueError: if it is no regular file, or larger than that.
    """
    with storage(url) as (fs, path):
        try:
            return _read(fs, path, max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None


def sha256_of(url: str) -> str | None:
    """SHA-256 of a file, in hexadecimal, or None where there is no regular file. It is read piece by piece."""
    with storage(url) as (fs, path):
        if is_local_disk(fs) and not Path(path).is_file():
            return None
        try:
            with _opened(fs, path) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return None


@without_credentials()
def fetch(url: str, max_bytes: int = MAX_PICTURE_BYTES) -> bytes:
    """A file's bytes. Storage that fails is asked again, twice.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no regular file, or larger than that.
        Exception: whatever the storage's library raises, once all attempts failed.
    """
    fs, path = located(url)
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


def _opened(fs: Any, path: str) -> Any:
    """A file of a storage. A web server that does not answer in time is not taken for one that has no such file."""
    try:
        return fs.open(path, "rb")
    except FileNotFoundError as error:
        if isinstance(error.__cause__, TimeoutError):
            raise TimeoutError(f"{path}: no answer in time") from error
        raise


def _read(fs: Any, path: str, max_bytes: int) -> bytes:
    if is_local_disk(fs):
        return local_files.read_regular(path, max_bytes)
    with _opened(fs, path) as file:
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
    with storage(url) as (fs, path):
        if not is_local_disk(fs):
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
        with storage(url) as (fs, path):
            fs.put_file(str(finished), path)


def remove(url: str) -> None:
    """Delete a file, or a folder with all that is in it; nothing happens where there is none.

    The URL is taken literally: fsspec's own rm would take `?`, `*` and `[` in it for a pattern, and delete neighbours.
    """
    with storage(url) as (fs, path):
        if not is_local_disk(fs):
            with ThreadPoolExecutor(NUM_DELETING_THREADS) as threads:
                list(threads.map(fs.rm_file, fs.find(path)))
        elif Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


def names_in(url: str) -> set[str]:
    """Names of the files and folders in a folder, from a fresh listing; none where there is no folder."""
    with storage(url) as (fs, path):
        try:
            return {entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return set()


def names_below(url: str) -> set[str]:
    """Names of all files below a folder, relative to it, from a fresh listing; none where there is no folder."""
    with storage(url) as (fs, path):
        return {name[len(path.rstrip("/")) + 1 :] for name in fs.find(path)}


class Expansion(NamedTuple):
    """The files that a URL stands for."""

    urls: list[str]
    is_single: bool
    """Whether the URL names one file, not a folder or a pattern."""
    root: str
    """URL of the folder that was named, or of the one above the first wildcard of a pattern."""


@without_credentials()
def expand(url: str) -> Expansion:
    """The files that a URL stands for: the file itself, all files below a folder, or all that fit a pattern.

    On this machine, links to folders are followed.

    Raises:
        Exception: whatever the storage's library raises.
    """
    fs, path = located(url)
    fs, root = (LinkFollowing() if is_local_disk(fs) else fs), path
    if fs.isdir(path):
        paths = fs.find(path)
    elif fs.exists(path):
        paths = [path]
    else:
        root = re.split(r"[*?[]", path)[0].rpartition("/")[0]
        only_files = {"withdirs": False} if is_local_disk(fs) else {}  # elsewhere there are no folders
        paths = fs.glob(path, **only_files) if any(sign in path for sign in WILDCARDS) else []
    root, *urls = [each if is_local_disk(fs) else fs.unstrip_protocol(each) for each in (root, *paths)]
    return Expansion(urls, paths == [path], root)


def size_bytes(url: str) -> int:
    """Size of a file."""
    with storage(url) as (fs, path):
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
    fs, path = on_storage(address, use_listings_cache=False)
    return path, PyFileSystem(FSSpecHandler(fs))
