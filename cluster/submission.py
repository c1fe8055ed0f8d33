"""Commands that run on a cluster: handed to Ray's job server, followed, listed and stopped.

A job's name is made from the place it works at, so the same command finds its job again. What has ended begins anew
under the next number: its work goes on from where it was.

What is shipped is the code, nothing else. The cluster's machines know its credentials and servers from their own
environment: neither ever is part of a job.
"""

import asyncio
import hashlib
import logging
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from cluster.environment import SUBMITTED, TOKEN, TOKEN_FILE, TOKEN_PATH

PACKAGES = ("magic", "pipelines", "cluster", "jobs")
TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
CALM = {"TQDM_MININTERVAL": "10", "PYTHONUNBUFFERED": "1"}
"""A log is no terminal: a line of progress now and then."""
LOOKS_S, RECONNECTS = 1.0, 8
QUIET_S = 300.0
"""A connection that says nothing for so long may be dead: it is made anew."""
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
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        with _refused(address):
            self._client = JobSubmissionClient(address)

    def submit(
        self,
        args: Sequence[str],
        *,
        place: str,
        environment: Mapping[str, str],
        driver_resource: str | None = None,
    ) -> str:
        """Start a command, or find it running.

        Args:
            args: of `magic`; the first names the job, with a digest of its place.
            place: what it works at. Two jobs never do at a time.
            environment: variables for its processes. They are shown to whoever lists jobs: no secrets.
            driver_resource: of the machines that may run its own process; left out, the head does.

        Returns:
            The job's name.

        Raises:
            ValueError: if another command is at work there.
        """
        base = f"{PREFIX}{args[0]}-{hashlib.sha256(place.encode()).hexdigest()[:DIGITS]}"
        with _refused(None):
            earlier = {_attempt(job.name): job for job in self.list() if job.name.rpartition(".")[0] == base}
            newest = earlier[max(earlier)] if earlier else None
            if newest and newest.is_live:
                if newest.command != f"magic {shlex.join(args)}":
                    raise ValueError(
                        f"expected nobody at work in {place}, got the job {newest.name}: {newest.command}; "
                        f"follow it, or magic jobs stop {newest.name}"
                    )
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

    def stop(self, name: str) -> None:
        """Ask a job to end.

        Raises:
            ValueError: if there is none of that name.
        """
        with _known(name):
            self._client.stop_job(name)

    def follow(self, name: str, show: Callable[[str], None]) -> Submitted:
        """Show what a job prints until it has ended; a lost connection is taken up again.

        Args:
            name: of the job.
            show: gets the log, part by part.

        Raises:
            ValueError: if there is none of that name.
            RuntimeError: if the job server stays away.
        """
        shown, failures = _Shown(show), 0
        while True:
            try:
                job = self.get(name)
                failures = 0
            except (RuntimeError, OSError) as error:
                failures += 1
                if failures > RECONNECTS:
                    reason = str(error).splitlines()[0]
                    raise RuntimeError(f"lost the job server: {reason}; the job {name} may go on without us") from error
            else:
                with suppress(RuntimeError, OSError, aiohttp.ClientError):  # a log may be gone with its machine
                    if job.status == JobStatus.RUNNING:
                        asyncio.run(self._tail(name, shown))
                    elif not job.is_live:
                        log = self.log(name)
                        shown.up_to(len(log), log)
                if not job.is_live:
                    return job
            time.sleep(LOOKS_S * 2 ** min(failures, 4))

    async def _tail(self, name: str, shown: "_Shown") -> None:
        """Show the log as it is written, until the job ends, or nothing comes for a while."""
        seen, parts = 0, self._client.tail_job_logs(name)
        with suppress(StopAsyncIteration):
            while True:
                part = await asyncio.wait_for(anext(parts), QUIET_S)
                seen += len(part)
                shown.up_to(seen, part)


class _Shown:
    """What was shown of a log that is read from its beginning again and again."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._characters = 0

    def up_to(self, end: int, part: str) -> None:
        """Show of a part, which ends there, what was not shown before."""
        new = end - self._characters
        if new > 0:
            self._show(part[-new:])
            self._characters = end


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
            if not str(error).startswith("Request failed with status code 404"):
                raise
            raise ValueError(f"expected the name of a job, got {name!r}; see magic jobs list") from error


@contextmanager
def _refused(address: str | None) -> Iterator[None]:
    """Turn a missing server and a wrong token into what a user can mend."""
    try:
        yield
    except AuthenticationError as error:
        raise ValueError(
            f"expected the cluster's token, got none or another one; put it into {TOKEN}, or into a file named by "
            f"{TOKEN_PATH}, or ~/{TOKEN_FILE}"
        ) from error
    except ConnectionError as error:
        where = address or "the address of RAY_API_SERVER_ADDRESS, or port 8265 of this machine"
        raise ValueError(
            f"expected a Ray job server at {where}, got no answer; start the cluster, open a tunnel to it, "
            "or give --address"
        ) from error
