"""Folders that belong to one job: the same job may go on in its folder, another one is refused."""

from typing import Any

from magic.checks import first_line, shown
from magic.json_files import parse_object
from pipelines.storage.door import is_new, join, read_object
from pipelines.storage.outputs import require_folder
from pipelines.storage.records import Record, without

IDENTITY = "job.json"
"""File of a folder that says which job it belongs to."""
_MISSING = object()
"""Stands for a field that an identity does not have; None may be a field's value."""


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
    require_folder(url, f"{what} to be a folder of this job")
    try:
        existing = _existing(url, what)
        if existing is None:
            identity.write(join(url, IDENTITY))
            return
    except OSError as error:
        reason = first_line(error)
        raise ValueError(
            f"expected {what} to be a folder of this job, got {shown(url)}: {reason}; choose another"
        ) from error
    own = parse_object(identity.to_bytes(), IDENTITY)
    differences = _differences(without(existing, identity.NOTES), without(own, identity.NOTES))
    if differences:
        raise ValueError(
            f"expected {what} to be new or this job's own, got a job in {shown(url)} that differs in "
            f"{', '.join(differences)}; choose another, or give the same settings"
        )


def _existing(url: str, what: str) -> dict[str, Any] | None:
    """The identity that a folder holds, or None for a new folder."""
    data = read_object(join(url, IDENTITY))
    if data is None and not is_new(url):
        raise ValueError(
            f"expected {what} to be new or this job's own, got other files in {shown(url)}; choose another"
        )
    return (
        None if data is None else parse_object(data, f"{what} to be this job's, as {shown(join(url, IDENTITY))} says")
    )


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Dotted names of the fields in which two identities differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = {key: (old.get(key, _MISSING), new.get(key, _MISSING)) for key in sorted(old.keys() | new.keys())}
        return [each for key, (one, other) in pairs.items() for each in _differences(one, other, f"{name}{key}.")]
    return [] if old == new else [name.rstrip(".")]
