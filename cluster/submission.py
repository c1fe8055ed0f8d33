"""Commands that run on a cluster: handed to Ray's job server, followed, listed and stopped.

A job's name is made from what it does, so the same command finds its job again. What has ended begins anew under the
next number: its work goes on from where it was.

What is shipped is the code, nothing else. The cluster's machines know its credentials and servers from their own
environment: neither ever is part of a job.
"""

import asyncio
import hashlib
import logging
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from cluster.environment import SUBMITTED

PACKAGES = ("magic", "pipelines", "cluster", "jobs")
TOKEN = Path(".ray") / "auth_token"
TOKEN_PLACES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
MODE = "RAY_AUTH_MODE"
TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
CALM = {"TQDM_MININTERVAL": "10", "PYTHONUNBUFFERED": "1"}
"""A log is no terminal: a line of progress now and then."""
LOOKS_S, RECONNECTS = 1.0, 8
DIGITS = 10
PROGRAM = "python -m jobs.cli"
PREFIX = "magic-"
LIVE = (JobStatus.PENDING, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Submitted:
    """One job of a cluster."""

    name: str
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    command: str
    message: str
    started_s: float | None
    """Since 1970."""
    ended_s: float | None

    @property
    def is_live(self) -> bool:
        """Whether it waits or runs."""
        return self.status in LIVE

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has run."""
        return None if self.started_s is None else (self.ended_s or time.time()) - self.started_s


class JobServer:
    """The job server of a Ray cluster, on its head."""

    def __init__(self, address: str | None) -> None:
        """Connect.

        Args:
            address: http://HOST:8265. Left out: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, else that of this machine.

        Raises:
            ValueError: if there is none, or it wants another token.
        """
        if any(os.environ.get(name) for name in TOKEN_PLACES) or (Path.home() / TOKEN).exists():
            os.environ.setdefault(MODE, "token")
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        with _refused(address):
            self._client = JobSubmissionClient(address)

    def submit(
        self, kind: str, args: Sequence[str], environment: Mapping[str, str], driver_resource: str | None = None
    ) -> str:
        """Start a command, or find it running.

        Args:
            kind: names the job, with a digest of the arguments.
            args: of `magic`.
            environment: variables for its processes. They are shown to whoever lists jobs: no secrets.
            driver_resource: of the machines that may run its own process; left out, the head does.

        Returns:
            The job's name.
        """
        base = f"{PREFIX}{kind}-{hashlib.sha256(shlex.join(args).encode()).hexdigest()[:DIGITS]}"
        with _refused(None):
            earlier = {_attempt(job.name): job for job in self.list() if job.name.rpartition(".")[0] == base}
            newest = earlier[max(earlier)] if earlier else None
            if newest and newest.is_live:
                return newest.name
            name = f"{base}.{max(earlier, default=0) + 1}"
            with TemporaryDirectory(prefix="magic-job-") as folder:
                _pack(Path(folder))
                variables = {**CALM, SUBMITTED: name, **environment}
                return self._client.submit_job(  # type: ignore[no-any-return]
                    entrypoint=f"{PROGRAM} {shlex.join(args)}",
                    submission_id=name,
                    entrypoint_resources={driver_resource: 1} if driver_resource else None,
                    runtime_env={"working_dir": folder, "env_vars": variables},
                )

    def list(self) -> list[Submitted]:
        """All jobs of ours that the cluster remembers, the newest first."""
        with _refused(None):
            found = [_described(job) for job in self._client.list_jobs()]
        ours = [job for job in found if job.name.startswith(PREFIX)]
        return sorted(ours, key=lambda job: job.started_s or 0, reverse=True)

    def get(self, name: str) -> Submitted:
        """One job.

        Raises:
            ValueError: if there is none of that name.
        """
        with _known(name):
            return _described(self._client.get_job_info(name))

    def log(self, name: str) -> str:
        """All that a job has printed.

        Raises:
            ValueError: if there is none of that name.
        """
        with _known(name):
            return self._client.get_job_logs(name)  # type: ignore[no-any-return]

    def stop(self, name: str) -> bool:
        """Ask a job to end; returns whether it was running.

        Raises:
            ValueError: if there is none of that name.
        """
        with _known(name):
            return self._client.stop_job(name)  # type: ignore[no-any-return]

    def follow(self, name: str, show: Callable[[str], None]) -> Submitted:
        """Show what a job prints until it has ended; a lost connection is taken up again.

        Args:
            name: of the job.
            show: gets the log, part by part.

        Raises:
            ValueError: if there is none of that name.
            RuntimeError: if the job server stays away.
        """
        shown, failures = 0, 0
        while True:
            try:
                job, log = self.get(name), ""
                if job.status != JobStatus.PENDING:
                    shown = asyncio.run(self._tail(name, shown, show))
                    job, log = self.get(name), self.log(name)
                if not job.is_live:
                    show(log[shown:])
                    return job
                failures = 0
            except (RuntimeError, OSError, aiohttp.ClientError) as error:
                failures += 1
                if failures > RECONNECTS:
                    raise RuntimeError(f"lost the job server: {error}; the job {name} may go on without us") from error
            time.sleep(LOOKS_S * 2 ** min(failures, 4))

    async def _tail(self, name: str, shown: int, show: Callable[[str], None]) -> int:
        """Show what comes behind the first characters of the log; returns how many were shown in all."""
        seen = 0
        async for part in self._client.tail_job_logs(name):
            seen += len(part)
            if seen > shown:
                show(part[len(part) - (seen - shown) :])
                shown = seen
        return shown


def _pack(folder: Path) -> None:
    """Our four packages, as they are imported here, and nothing else."""
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        source = Path(spec.submodule_search_locations[0])
        shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def _attempt(name: str) -> int:
    found = re.search(r"\.(\d+)$", name)
    return int(found[1]) if found else 0


def _described(job: JobDetails) -> Submitted:
    status = job.status.value if isinstance(job.status, JobStatus) else str(job.status)
    times = [None if ms is None else ms / 1000 for ms in (job.start_time, job.end_time)]
    command = job.entrypoint.replace(PROGRAM, "magic", 1)
    message = (job.message or "").partition(", last available logs")[0]
    return Submitted(job.submission_id or "", status, command, message, *times)


@contextmanager
def _known(name: str) -> Iterator[None]:
    """Turn the server's word that there is no such job into ours."""
    with _refused(None):
        try:
            yield
        except RuntimeError as error:
            if "404" not in str(error):
                raise
            raise ValueError(f"expected the name of a job, got {name!r}; see magic jobs list") from error


@contextmanager
def _refused(address: str | None) -> Iterator[None]:
    """Turn a missing server and a wrong token into what a user can mend."""
    try:
        yield
    except AuthenticationError as error:
        raise ValueError(
            f"expected the cluster's token, got none or another one; put it into {TOKEN_PLACES[0]}, or into a file "
            f"named by {TOKEN_PLACES[1]}, or ~/{TOKEN}"
        ) from error
    except ConnectionError as error:
        where = address or "the address of RAY_API_SERVER_ADDRESS, or port 8265 of this machine"
        raise ValueError(
            f"expected a Ray job server at {where}, got no answer; start the cluster, open a tunnel to it, "
            "or give --address"
        ) from error
