"""Folders of this machine, with the folders that links in them lead to."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entries = dict[str, dict[str, Any]]
"""By their names in a folder: the path of each, and whether it is a file or a directory, as fsspec has them."""


def walk(top: str, max_depth: int | None) -> Iterator[tuple[str, Entries, Entries]]:
    """A folder and those below it, each with the folders and files in it; links to folders are followed.

    Every folder comes once, whatever leads to it, and by its own path if that lies below the top. What cannot be
    listed is a file to this function: it has a name, and whoever opens it gets the reason.

    Args:
        top: the folder.
        max_depth: folders deeper than this below it are left out, 1 for the top alone; None for all.
    """
    seen: set[str] = set()
    found, linked = [(top, 1)], list[tuple[str, int]]()
    while found or linked:
        folder, depth = (found or linked).pop(0)
        if os.path.realpath(folder) in seen:
            continue
        seen.add(os.path.realpath(folder))
        folders, files = _entries(folder)
        yield folder, folders, files
        if max_depth is None or depth < max_depth:
            for entry in folders.values():
                (linked if Path(entry["name"]).is_symlink() else found).append((entry["name"], depth + 1))


def _entries(folder: str) -> tuple[Entries, Entries]:
    """The folders and the other entries of a folder."""
    entries: tuple[Entries, Entries] = {}, {}
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            is_folder = entry.is_dir() and os.access(entry.path, os.R_OK | os.X_OK)
            kind = "directory" if is_folder else "file"
            entries[not is_folder][entry.name] = {"name": entry.path, "type": kind}
    return entries
