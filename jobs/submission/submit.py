"""`magic submit`: any command, run on a cluster by its job server."""

import os
import shlex
from dataclasses import fields, is_dataclass
from typing import Any

from cluster.code_version import VARIABLE, code_version
from cluster.redaction import redacted
from cluster.submission import JobServer, Submitted
from jobs import cli
from jobs.settings.submission_config import SUBMITTABLE, SubmitConfig
from magic.checks import require
from pipelines.pictures.upload import upload_pictures
from pipelines.store.storage import is_local

INPUTS = ("content.urls", "style.urls", "content", "style")
"""Settings that name pictures: those of this machine are uploaded."""
PLACES = ("out", "poster", "to", "keep_from", "statistics", "model", "json", "pictures")
"""Settings that name what the cluster reads or writes: they have to be where it is."""


def submit(config: SubmitConfig) -> str:
    """Start a command on a cluster, or find it there, and show what it prints until it has ended.

    Returns:
        The job's name.

    Raises:
        ValueError: if the command is wrong, names places that the cluster cannot reach, or there is no job server.
        RuntimeError: if the job fails.
    """
    kind = config.command[0] if config.command else "nothing"
    known = ", ".join(SUBMITTABLE)
    require(kind in SUBMITTABLE, f"a command to submit ({known})", kind, "magic submit train demo --out s3://...")
    open_arg = next((arg for arg in config.command if redacted(arg) != arg), None)
    require(
        open_arg is None,
        "a command without credentials: whoever lists jobs sees it",
        redacted(open_arg or ""),
        "the cluster's machines have their own",
    )
    settings = dict(_settings(cli.parse(config.command)))
    check_places(settings)
    server = JobServer(config.address)
    args = [*config.command, *uploaded(settings)]
    debug = {name: os.environ[name] for name in ("MAGIC_DEBUG",) if name in os.environ}
    name = server.submit(
        args,
        place=place_of(settings) or shlex.join(args),
        environment={VARIABLE: code_version(), **debug},
        driver_resource=config.driver_resource,
    )
    print(f"job {name}\n  magic jobs status|logs|stop {name}")
    if not config.detach:
        attend(server, name)
    return name


def place_of(settings: dict[str, Any]) -> str | None:
    """The folder that a command writes to, if there is one."""
    out = settings.get("out")
    return f"{str(out).rstrip('/')}/{settings.get('name', '')}".rstrip("/") if out else None


def attend(server: JobServer, name: str) -> None:
    """Show a job's log until it has ended; ctrl-C leaves it alone.

    Raises:
        RuntimeError: if it does not end well.
    """
    try:
        job = server.follow(name, lambda part: print(part, end="", flush=True))
    except KeyboardInterrupt:
        print(f"\ndetached; the job goes on: magic jobs logs {name} --follow, or magic jobs stop {name}")
        return
    report(job)


def report(job: Submitted) -> None:
    """Say how a job ended.

    Raises:
        RuntimeError: if it did not end well.
    """
    if job.status != "SUCCEEDED":
        raise RuntimeError(
            f"job {job.name} {job.status.lower()}: {job.message or 'no reason given'}; its log says more, "
            "and submitted again it goes on from there"
        )
    print(f"job {job.name} succeeded")


def check_places(settings: dict[str, Any]) -> None:
    """Refuse paths that mean one thing here and another on the cluster.

    Raises:
        ValueError: if there are any.
    """
    for name in PLACES:
        for place in _each(settings.get(name)):
            require(
                place.startswith(("/", "models:/")) or not is_local(place),
                f"--{name.replace('_', '-')} on storage that the cluster reaches",
                place,
                "give s3://..., or the full path of a disk that all its machines share",
            )


def uploaded(settings: dict[str, Any]) -> list[str]:
    """Options that name copies on storage of the pictures that are only here.

    Raises:
        ValueError: if there are such pictures, but no storage to copy them to.
    """
    out, options = settings.get("out"), []
    for name in INPUTS:
        urls = _each(settings.get(name))
        here = [url for url in urls if is_local(url) and not (url.startswith("/") and _is_shared(out))]
        if here:
            there = "pictures on storage" if out is None else "--out on storage, for pictures of this machine"
            require(not _is_shared(out), there, out or here[0], f"copy {here[0]} to where the cluster reaches it")
            copies = upload_pictures(urls, f"{str(out).rstrip('/')}-inputs")
            options += [f"--{name.replace('_', '-')}", *copies]
    return options


def _is_shared(out: str | None) -> bool:
    """Whether the output goes to a disk that all machines share."""
    return out is None or is_local(out)


def _settings(config: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """All settings of a command, by their dotted names."""
    found = []
    for part in fields(config):
        value = getattr(config, part.name)
        name = f"{prefix}{part.name}"
        found += _settings(value, f"{name}.") if is_dataclass(value) else [(name, value)]
    return found


def _each(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(map(str, value))
