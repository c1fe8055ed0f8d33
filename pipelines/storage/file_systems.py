"""The file systems behind addresses: the one module that imports fsspec. `door.py` reads and writes through them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from fsspec import AbstractFileSystem
from fsspec.config import conf
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from magic.checks import shown, typed_line
from magic.redaction import redacted
from pipelines.storage.addresses import WEB, Address, advice_on, parse
from pipelines.storage.local_files import UnusableFileError
from pipelines.storage.local_folders import Entries, walk

SILENCE_S = 60.0
"""A web server that says nothing for so long is given up. The libraries of object storage have limits of their own."""
CLIENT = "client_kwargs"
"""fsspec's name for what a web client is made with."""


class LinkFollowing(LocalFileSystem):  # type: ignore[misc]
    """The disks of this machine; find and glob also look where links to folders lead."""

    cachable = False

    def walk(self, path: str, maxdepth: int | None = None, **_: Any) -> Iterator[tuple[str, Entries, Entries]]:
        """Every folder at or below a path, with its folders and files."""
        return walk(path, maxdepth)


def is_local_disk(fs: AbstractFileSystem) -> bool:
    """Whether a file system is that of this machine."""
    return isinstance(fs, LocalFileSystem)


def located(url: str) -> tuple[Any, str]:
    """The file system that an address is of, and the path on it."""
    address = parse(url)
    return (LocalFileSystem(), address.path) if address.is_local else on_storage(address)


def on_storage(address: Address, **options: Any) -> tuple[Any, str]:
    """The file system of a bucket or a host, and the path on it, which is never parsed: nothing in it is special."""
    is_users_choice = any(CLIENT in conf.get(protocol, {}) for protocol in WEB)  # by FSSPEC_HTTP: for both protocols
    if address.protocol in WEB and not is_users_choice:
        limit = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
        options = {CLIENT: {"timeout": limit}, **options}
    fs, root = url_to_fs(address.root, **options)
    path = address.path if address.protocol in WEB else address.path.rstrip("/")
    return fs, root + path


@contextmanager
def storage(url: str) -> Iterator[tuple[Any, str]]:
    """A file system that forgets what it listed before, and the path on it.

    Raises:
        OSError: what went wrong within the block, told with what a user can do about it.
    """
    address = parse(url)
    try:
        fs, path = located(url)
        fs.invalidate_cache()
        yield fs, path
    except (FileNotFoundError, NotADirectoryError, UnusableFileError):
        raise
    except Exception as error:  # every storage library has errors of its own
        if address.is_local:
            raise
        reason = f"expected storage that answers at {shown(url)}, got {typed_line(error)}; {advice_on(url)}"
        raise OSError(redacted(reason)) from None


@contextmanager
def without_credentials() -> Iterator[None]:
    """Take the credentials of addresses out of errors within the block: the processes of a cluster log them."""
    try:
        yield
    except Exception as error:  # every storage library has errors of its own
        text = redacted(str(error))
        if text == str(error):
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError
        raise kind(text) from None
