"""Whole objects on any storage: written so that a reader sees all of one or nothing."""

import json
import mimetypes
import uuid
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

JOB = "job.json"
"""What a folder belongs to."""
MANIFEST = "manifest.json"
"""What a finished folder was made from."""
PARTIAL = ".partial"
"""Ending of what is half written; a killed process may leave some, and they mean nothing."""


def join(url: str, *parts: str) -> str:
    """A URL below another."""
    return "/".join([url.rstrip("/"), *parts])


def absolute(url: str) -> str:
    """A local path made absolute, so that other processes find it; other URLs as they are."""
    path = url.removeprefix("file://")
    return path if "://" in path or "::" in path else str(Path(path).absolute())


def is_local(url: str) -> bool:
    """Whether a URL is a path of this machine."""
    return "file" in url_to_fs(url)[0].protocol


def exists(url: str) -> bool:
    """Whether there is an object."""
    fs, path = url_to_fs(url)
    fs.invalidate_cache()
    return bool(fs.exists(path))


def write_object(url: str, data: bytes) -> None:
    """Write an object in one piece. Object stores do; on a local disk a finished file takes the name's place."""
    fs, path = url_to_fs(url)
    if "file" not in fs.protocol:
        kind = mimetypes.guess_type(url)[0] if "s3" in fs.protocol else None  # a browser asks the bucket for it
        fs.pipe_file(path, data, **({"ContentType": kind} if kind else {}))
        return
    unfinished = Path(f"{path}.{uuid.uuid4().hex}{PARTIAL}")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_object(url: str) -> bytes | None:
    """An object's bytes, or None where there is none."""
    fs, path = url_to_fs(url)
    try:
        return fs.cat_file(path)  # type: ignore[no-any-return]
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_json(url: str, value: Any) -> None:
    """Write a value as JSON."""
    write_object(url, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def read_json(url: str) -> Any:
    """The value of a JSON object, or None where there is none."""
    data = read_object(url)
    return None if data is None else json.loads(data)


def claim(url: str, job: dict[str, Any], what: str) -> None:
    """Make a folder this job's, or find that it is.

    The job's description is written to job.json in the folder; running the same job again finds it there.

    Raises:
        ValueError: if the folder holds another job's work, or anything else.
    """
    note = join(url, JOB)
    job = json.loads(json.dumps(job))
    try:
        there = read_json(note)
        if there is None and not _is_new(url):
            raise ValueError(f"expected {what} to be new or this job's own, got other files in {url}; choose another")
        if there is None:
            write_json(note, job)
    except (OSError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected {what} to be a folder of this job, got {url}: {reason}; choose another") from error
    if there is not None and there != job:
        raise ValueError(
            f"expected {what} to be new or this job's own, got a job in {url} that differs in "
            f"{', '.join(_differences(there, job))}; choose another, or give the same settings"
        )


def _is_new(url: str) -> bool:
    fs, path = url_to_fs(url)
    if not fs.exists(path):
        return True
    return fs.isdir(path) and all(name.endswith(PARTIAL) for name in fs.ls(path, detail=False))


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys())
        return [d for key in names for d in _differences(old.get(key), new.get(key), f"{name}{key}.")]
    return [] if old == new else [name.rstrip(".")]
