"""The disk behind an address: how much is free, how much is used, and what killed processes left there."""

import shutil
import tempfile
from pathlib import Path

from pipelines.storage.addresses import parse
from pipelines.storage.local_files import PARTIAL


def free_space(url: str) -> tuple[Path, int]:
    """The folder of this machine through which files at a URL go, and its free bytes.

    For a local URL that is its own folder, or the nearest one above it that exists; for any other the temporary folder.
    """
    address = parse(url)
    folder = Path(address.path if address.is_local else tempfile.gettempdir())
    while not folder.exists():
        folder = folder.parent
    return folder, shutil.disk_usage(folder).free


def used_bytes(url: str) -> int:
    """Size of all files below a local folder, in bytes; 0 where there is none."""
    return sum(path.stat().st_size for path in Path(parse(url).path).rglob("*") if path.is_file())


def remove_partials(url: str) -> None:
    """Delete what killed processes left half written below a folder. On object storage nothing ever is."""
    address = parse(url)
    if address.is_local:
        for partial in Path(address.path).rglob(f"*{PARTIAL}"):
            partial.unlink(missing_ok=True)
