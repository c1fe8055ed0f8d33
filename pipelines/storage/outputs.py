"""What may be written: a new or a regular file, and what lies below a folder; on storage, not on the web."""

import os
import stat
from pathlib import Path

from magic.checks import require, shown
from pipelines.storage.addresses import PROTOCOLS, parse
from pipelines.storage.local_files import kind_of

FILE = "a new or a regular file to write"


def require_file(url: str) -> None:
    """Refuse to write a file over anything but a regular one, and where there can be none.

    A link is refused, too: the new file would take its place, and what it leads to would stay as it is.

    Raises:
        ValueError: if it is refused.
    """
    address = parse(url)
    _require_writable(address.protocol, url)
    is_named = bool(address.path.strip("/")) and not url.endswith("/")
    require(is_named, f"{FILE}, as in {PROTOCOLS[address.protocol].example}", url, "name the file")
    if address.is_local:
        place, status = _nearest(address.path, FILE)
        ok = stat.S_ISREG(status.st_mode) if place == Path(address.path) else place.is_dir()
        require(ok, FILE, f"{address.path}: {place} is {kind_of(status)}", "choose another")


def require_folder(url: str, expected: str = "a folder to write in") -> None:
    """Refuse to write into what is no folder, and where there can be none. A link to a folder is one.

    Args:
        url: of the folder.
        expected: what an error says of it.

    Raises:
        ValueError: if it is refused.
    """
    address = parse(url)
    _require_writable(address.protocol, url)
    if address.is_local:
        place, status = _nearest(address.path, expected)
        require(place.is_dir(), expected, f"{address.path}: {place} is {kind_of(status)}", "choose another")


def local_folder(url: str) -> Path:
    """The folder of this machine to write in that a path names.

    Raises:
        ValueError: if it is on other storage, or no folder can be there.
    """
    require_folder(url)
    address = parse(url)
    require(address.is_local, "a folder of this machine", url, "give a path")
    return Path(address.path)


def _require_writable(protocol: str, url: str) -> None:
    require(PROTOCOLS[protocol].is_writable, "a place that can be written to", url, "name a path or a bucket")


def _nearest(path: str, expected: str) -> tuple[Path, os.stat_result]:
    """What is there: at the path, or at the nearest folder above it that exists.

    Raises:
        ValueError: if nothing can be there.
    """
    for place in (Path(path), *Path(path).parents):
        try:
            return place, os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:  # a name that is too long, say
            raise ValueError(f"expected {expected}, got {shown(path)}: {error.strerror}; choose another") from error
    raise AssertionError("no root")
