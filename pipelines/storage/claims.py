"""Folders that belong to one job: the same job may go on in its folder, another one is refused."""

import json
from typing import Any

from pipelines.storage.door import is_new, join, read_object
from pipelines.storage.records import Record

IDENTITY = "job.json"
"""File of a folder that says which job it belongs to."""


def claim(url: str, identity: Record, what: str) -> None:
    """Make a folder this job's, or find that it is.

    The job's identity is written to job.json in the folder; running the same job again finds it there.

    Args:
        url: of the folder.
        identity: everything by which the job differs from others.
        what: how an error names the folder: "the poster's folder (--out)".

    Raises:
        ValueError: if the folder holds another job's work, or anything else.
    """
    try:
        existing = _existing(url, what)
        if existing is None:
            identity.write(join(url, IDENTITY))
            return
    except (OSError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected {what} to be a folder of this job, got {url}: {reason}; choose another") from error
    differences = _differences(existing, json.loads(identity.to_bytes()))
    if differences:
        raise ValueError(
            f"expected {what} to be new or this job's own, got a job in {url} that differs in "
            f"{', '.join(differences)}; choose another, or give the same settings"
        )


def _existing(url: str, what: str) -> Any:
    """The identity that a folder holds, or None for a new folder."""
    data = read_object(join(url, IDENTITY))
    if data is None and not is_new(url):
        raise ValueError(f"expected {what} to be new or this job's own, got other files in {url}; choose another")
    return None if data is None else json.loads(data)


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Dotted names of the fields in which two identities differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys())
        return [d for key in names for d in _differences(old.get(key), new.get(key), f"{name}{key}.")]
    return [] if old == new else [name.rstrip(".") or "everything"]
