"""Commands that run on a cluster: given to the job server of Ray, followed, listed and stopped.

A job is one run of one command. Its name contains a digest of the place that the command works at, so the same command
finds its job again. Once that job has ended, submitting the command again starts a job with the next number, which
continues the work that is on storage.

A job consists of the command, the source of the program and a few harmless environment variables. It never contains
credentials or addresses of servers: the machines of the cluster have these in their own environment.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from cluster.environment import SUBMITTED_VARIABLE, TOKEN_FILE, TOKEN_PATH_VARIABLE, TOKEN_VARIABLE
from cluster.private_ray import VERBOSE_LOGGERS
from cluster.program import Program

LOG_VARIABLES = {"TQDM_MININTERVAL": "10", "PYTHONUNBUFFERED": "1"}
"""Variables for a log instead of a terminal: a line of progress every 10 s, and each line at once."""
POLL_INTERVAL_S = 1.0
"""Time between two questions for a job's state. It doubles with each failure, up to 16 times as much."""
MAX_CONSECUTIVE_FAILURES = 8
MAX_SILENCE_S = 300.0
"""A log connection that brings nothing for so long may be dead, and is replaced."""
DIGEST_DIGITS = 10
LIVE = (JobStatus.PENDING, JobStatus.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedJob:
    """One job of a cluster."""

    name: str
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    command: str
    """The command as its user typed it."""
    message: str
    """What the job server says of the status."""
    started_s: float | None
    """Seconds since 1970; None until the job has started."""
    ended_s: float | None
    """Seconds since 1970; None until the job has ended."""

    @property
    def is_live(self) -> bool:
        """Whether the job waits or runs."""
        return self.status in LIVE

    @property
    def seconds(self) -> float | None:
        """How long the job ran, or has been running; None until it has started."""
        return None if self.started_s is None else (self.ended_s or time.time()) - self.started_s


class JobServer:
    """The job server on the head of a Ray cluster, for the jobs of one program."""

    def __init__(self, address: str | None, program: Program) -> None:
        """Connect.

        Args:
            address: http://HOST:8265. Left out: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, else port 8265 of this machine.
            program: the program whose commands are submitted. Jobs of other programs are not listed.

        Raises:
            ValueError: if no job server answers, or it refuses the token.
        """
        self._program = program
        self._prefix = f"{program.name}-"
        for name in VERBOSE_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        with _explain_connection_errors(address):
            self._client = JobSubmissionClient(address)

    def submit(
        self,
        args: Sequence[str],
        *,
        place: str,
        environment: Mapping[str, str],
        driver_resource: str | None = None,
    ) -> str:
        """Start a command, unless a job runs it already.

        Args:
            args: the arguments of the program. The first becomes a part of the job's name.
            place: what the command works at. At any time, at most one job works at a place.
            environment: variables for the job's processes. Whoever lists jobs sees them, so none may be secret.
            driver_resource: a resource of the machines that may run the job's own process. Left out: the head runs it.

        Returns:
            The job's name.

        Raises:
            ValueError: if another command is at work there, no job server answers, or it refuses the token.
        """
        base = f"{self._prefix}{args[0]}-{hashlib.sha256(place.encode()).hexdigest()[:DIGEST_DIGITS]}"
        jobs = {_attempt_number(job.name): job for job in self.list() if job.name.rpartition(".")[0] == base}
        newest = jobs[max(jobs)] if jobs else None
        if newest and newest.is_live:
            self._require_same_command(newest, args, place)
            return newest.name
        name = f"{base}.{max(jobs, default=0) + 1}"
        variables = {**LOG_VARIABLES, SUBMITTED_VARIABLE: name, **environment}
        with TemporaryDirectory(prefix="magic-job-") as folder, _explain_connection_errors(None):
            self._program.copy_packages(Path(folder))
            return self._client.submit_job(  # type: ignore[no-any-return]
                entrypoint=self._program.entrypoint(args),
                submission_id=name,
                entrypoint_resources={driver_resource: 1} if driver_resource else None,
                runtime_env={"working_dir": folder, "env_vars": variables},
            )

    def list(self) -> list[SubmittedJob]:
        """The program's jobs that the cluster remembers, the newest first."""
        with _explain_connection_errors(None):
            jobs = [self._described(details) for details in self._client.list_jobs()]
        own_jobs = [job for job in jobs if job.name.startswith(self._prefix)]
        return sorted(own_jobs, key=lambda job: job.started_s or 0, reverse=True)

    def get(self, name: str) -> SubmittedJob:
        """One job.

        Raises:
            ValueError: if there is no job of that name.
        """
        with self._explain_unknown_job(name):
            return self._described(self._client.get_job_info(name))

    def log(self, name: str) -> str:
        """All that a job has printed.

        Raises:
            ValueError: if there is no job of that name.
        """
        with self._explain_unknown_job(name):
            return self._client.get_job_logs(name)  # type: ignore[no-any-return]

    def stop(self, name: str) -> None:
        """Ask a job to end; returns before it has ended.

        Raises:
            ValueError: if there is no job of that name.
        """
        with self._explain_unknown_job(name):
            self._client.stop_job(name)

    def follow(self, name: str, show: Callable[[str], None]) -> SubmittedJob:
        """Show what a job prints until it has ended. A lost connection is replaced.

        Args:
            name: of the job.
            show: is called with each new part of the log.

        Returns:
            The job as it ended.

        Raises:
            ValueError: if there is no job of that name.
            RuntimeError: if the job server fails MAX_CONSECUTIVE_FAILURES + 1 times in a row.
        """
        log, failures = _ShownLog(show), 0
        while True:
            try:
                job = self.get(name)
            except (RuntimeError, OSError) as error:
                failures += 1
                if failures > MAX_CONSECUTIVE_FAILURES:
                    reason = str(error).splitlines()[0]
                    raise RuntimeError(f"lost the job server: {reason}; the job {name} may go on without us") from error
            else:
                failures = 0
                self._show_log(job, log)
                if not job.is_live:
                    return job
            time.sleep(POLL_INTERVAL_S * 2 ** min(failures, 4))

    def _require_same_command(self, job: SubmittedJob, args: Sequence[str], place: str) -> None:
        if job.command != self._program.command(args):
            raise ValueError(
                f"expected nobody at work in {place}, got the job {job.name}: {job.command}; "
                f"follow it, or {self._program.name} jobs stop {job.name}"
            )

    def _show_log(self, job: SubmittedJob, log: "_ShownLog") -> None:
        """Show the new part of a job's log: of one that runs, until it ends or falls silent."""
        with suppress(RuntimeError, OSError, aiohttp.ClientError):  # a log may be lost with its machine
            if job.status == JobStatus.RUNNING:
                asyncio.run(self._show_tail(job.name, log))
            elif not job.is_live:
                text = self.log(job.name)
                log.show_part(text, end=len(text))

    async def _show_tail(self, name: str, log: "_ShownLog") -> None:
        """Show the log as it is written, until the job ends.

        Raises:
            TimeoutError: if nothing comes for MAX_SILENCE_S.
        """
        end, parts = 0, self._client.tail_job_logs(name)
        with suppress(StopAsyncIteration):
            while True:
                part = await asyncio.wait_for(anext(parts), MAX_SILENCE_S)
                end += len(part)
                log.show_part(part, end=end)

    def _described(self, details: JobDetails) -> SubmittedJob:
        """Our record of what Ray says of a job."""
        status = details.status
        return SubmittedJob(
            name=details.submission_id or "",
            status=status.value if isinstance(status, JobStatus) else str(status),
            command=self._program.command_of(details.entrypoint),
            message=(details.message or "").partition(", last available logs")[0],
            started_s=_seconds(details.start_time),
            ended_s=_seconds(details.end_time),
        )

    @contextmanager
    def _explain_unknown_job(self, name: str) -> Iterator[None]:
        """Turn the job server's answer that it knows no such job, within the block, into an error for the user."""
        with _explain_connection_errors(None):
            try:
                yield
            except RuntimeError as error:
                if not str(error).startswith("Request failed with status code 404"):
                    raise
                raise ValueError(
                    f"expected the name of a job, got {name!r}; see {self._program.name} jobs list"
                ) from error


class _ShownLog:
    """How much of a log was shown: each new connection brings the log from its beginning."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._num_characters = 0

    def show_part(self, part: str, *, end: int) -> None:
        """Show the characters of a part that were not shown yet; `end` is the part's end, counted in the whole log."""
        num_new = end - self._num_characters
        if num_new > 0:
            self._show(part[-num_new:])
            self._num_characters = end


def _seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000


def _attempt_number(name: str) -> int:
    """The number at the end of a job's name."""
    match = re.search(r"\.(\d+)$", name)
    return int(match[1]) if match else 0


@contextmanager
def _explain_connection_errors(address: str | None) -> Iterator[None]:
    """Turn a missing job server and a refused token, within the block, into errors that say what to do."""
    try:
        yield
    except AuthenticationError as error:
        raise ValueError(
            f"expected the cluster's token, got none or another one; put it into {TOKEN_VARIABLE}, or into a file "
            f"named by {TOKEN_PATH_VARIABLE}, or ~/{TOKEN_FILE}"
        ) from error
    except ConnectionError as error:
        where = address or "the address of RAY_API_SERVER_ADDRESS, or port 8265 of this machine"
        raise ValueError(
            f"expected a Ray job server at {where}, got no answer; start the cluster, open a tunnel to it, "
            "or give --address"
        ) from error
