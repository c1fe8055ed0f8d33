"""Configuration of what runs on a cluster by its job server. Imports nothing heavy."""

from dataclasses import dataclass

from tyro.conf import Positional, Suppress


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitConfig:
    """Run a command on a cluster, and follow it. The same command finds its job again.

    The job is started by `python`, the first on the PATH that the cluster's Ray was started with: it has to be the
    Python that runs Ray there, and to have this project's requirements. The project's own code is sent along.
    """

    address: str | None = None
    """Of the cluster's job server, http://HOST:8265. Left out: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, else this machine.
    A token is taken from RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token."""
    driver_resource: str | None = None
    """Resource of the machines that may run the job's own process: `driver` where `magic cluster render` wrote the
    cluster's files. Left out: it runs on the head."""
    detach: bool = False
    """Return at once, without following the log."""
    command: Suppress[tuple[str, ...]] = ()
    """The command with its options, as it would be typed behind `magic`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsListConfig:
    """All jobs that the cluster remembers, the newest first."""

    address: str | None = None
    """Of the job server, see magic submit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsStatusConfig:
    """What has become of a job."""

    name: Positional[str]
    """As magic submit printed it."""
    address: str | None = None
    """Of the job server, see magic submit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsLogsConfig:
    """What a job has printed so far."""

    name: Positional[str]
    """As magic submit printed it."""
    follow: bool = False
    """Go on until it has ended. Ctrl-C leaves the job alone."""
    address: str | None = None
    """Of the job server, see magic submit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsStopConfig:
    """End a job. What is done is kept: submitted again, it goes on from there."""

    name: Positional[str]
    """As magic submit printed it."""
    address: str | None = None
    """Of the job server, see magic submit."""
