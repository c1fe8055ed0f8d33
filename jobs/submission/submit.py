"""`magic submit`: any command, run on a cluster by its job server."""

import os
import shlex
from collections.abc import Sequence
from typing import Any

from cluster.code_version import CODE_VERSION_VARIABLE, code_version
from cluster.job_server import JobServer, SubmittedJob
from cluster.program import Program
from jobs import cli
from jobs.commands import submittable
from jobs.settings.submission_config import SubmitConfig
from magic.checks import require
from magic.options import PICTURES, PLACE, Setting, settings_of
from magic.redaction import redacted
from pipelines.pictures.upload import upload_pictures
from pipelines.storage.door import is_local

PROGRAM = Program(name="magic", launcher="python -m jobs.cli", packages=("magic", "pipelines", "cluster", "jobs"))
"""This project's command line as the job server of a cluster runs it."""

NO_PROGRAM = "exit code 127"
"""By which a shell says, and Ray after it, that it did not find the program of a command."""
WITHOUT_PYTHON = (
    "the machine that it ran on has no `python` on the PATH that its Ray was started with; start Ray there with the "
    "folder of the Python that has MAGIC's requirements in front, or use the image of the Dockerfile"
)


def submit(config: SubmitConfig) -> str:
    """Start a command on a cluster, or find it there, and show what it prints until it has ended.

    Returns:
        The job's name.

    Raises:
        ValueError: if the command is wrong, names places that the cluster cannot reach, or there is no job server.
        RuntimeError: if the job fails.
    """
    _check_command(config.command)
    settings = list(settings_of(cli.parse(config.command)))
    check_places(settings)
    server = JobServer(config.address, PROGRAM)
    args = [*config.command, *uploaded(settings)]
    debug = {name: os.environ[name] for name in ("MAGIC_DEBUG",) if name in os.environ}
    name = server.submit(
        args,
        place=place_of(settings) or shlex.join(args),
        environment={CODE_VERSION_VARIABLE: code_version(), **debug},
        driver_resource=config.driver_resource,
    )
    print(f"job {name}\n  magic jobs status|logs|stop {name}")
    if not config.detach:
        attend(server, name)
    return name


def _check_command(command: Sequence[str]) -> None:
    """Refuse what cannot be submitted, and credentials: whoever lists jobs would see them.

    Raises:
        ValueError: if it is refused.
    """
    name, names = command[0] if command else "nothing", submittable()
    example = "magic submit train demo --out s3://..."
    require(name in names, f"a command to submit ({', '.join(names)})", name, example)
    secret = next((arg for arg in command if redacted(arg) != arg), None)
    require(
        secret is None,
        "a command without credentials: whoever lists jobs sees it",
        redacted(secret or ""),
        "the cluster's machines have their own",
    )


def place_of(settings: Sequence[Setting]) -> str | None:
    """The folder that a command works in, if there is one: jobs with the same one are the same job."""
    values = {setting.name: setting.value for setting in settings}
    out = values.get("out")
    return f"{str(out).rstrip('/')}/{values.get('name', '')}".rstrip("/") if out else None


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


def report(job: SubmittedJob) -> None:
    """Say how a job ended.

    Raises:
        RuntimeError: if it did not end well.
    """
    if job.status != "SUCCEEDED":
        if NO_PROGRAM in job.message:
            raise RuntimeError(f"job {job.name} failed: {WITHOUT_PYTHON}")
        raise RuntimeError(
            f"job {job.name} {job.status.lower()}: {job.message or 'no reason given'}; its log says more, "
            "and submitted again it goes on from there"
        )
    print(f"job {job.name} succeeded")


def check_places(settings: Sequence[Setting]) -> None:
    """Refuse paths that mean one thing here and another on the cluster.

    Raises:
        ValueError: if there are any.
    """
    for setting in settings:
        for place in _texts(setting.value) if setting.names is PLACE else ():
            require(
                place.startswith(("/", "models:/")) or not is_local(place),
                f"{setting.option} on storage that the cluster reaches",
                place,
                "give s3://..., or the full path of a disk that all its machines share",
            )


def uploaded(settings: Sequence[Setting]) -> list[str]:
    """Options that name copies on storage, for pictures that are only on this machine.

    Raises:
        ValueError: if there are such pictures, but no storage to copy them to.
    """
    out = next((setting.value for setting in settings if setting.name == "out"), None)
    is_shared = out is None or is_local(out)  # the output goes to a disk that all machines share
    options: list[str] = []
    for setting in settings:
        urls = _texts(setting.value) if setting.names is PICTURES else ()
        here = [url for url in urls if is_local(url) and not (url.startswith("/") and is_shared)]
        if here:
            expected = "pictures on storage" if out is None else "--out on storage, for pictures of this machine"
            require(not is_shared, expected, out or here[0], f"copy {here[0]} to where the cluster reaches it")
            options += [setting.option, *upload_pictures(urls, f"{str(out).rstrip('/')}-inputs")]
    return options


def _texts(value: Any) -> tuple[str, ...]:
    """A setting's texts: it may have one, several or none."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(map(str, value))
