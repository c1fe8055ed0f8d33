"""`magic jobs`: lists, shows, follows and stops the jobs on a cluster."""

import time
from datetime import datetime

from cluster.job_server import JobServer, SubmittedJob
from jobs.settings.submission_config import JobsListConfig, JobsLogsConfig, JobsStatusConfig, JobsStopConfig
from jobs.submission.submit import PROGRAM, attend

STOP_TIMEOUT_S = 60.0
"""How long `magic jobs stop` waits for the job's end."""
POLL_INTERVAL_S = 0.5


def show_jobs(config: JobsListConfig) -> list[SubmittedJob]:
    """Print a line for each job; returns the jobs, the newest first."""
    jobs = JobServer(config.address, PROGRAM).list()
    for job in jobs:
        print(_line(job))
    if not jobs:
        print("no jobs yet; magic submit starts one")
    return jobs


def show_status(config: JobsStatusConfig) -> SubmittedJob:
    """Print a job's state, command and message; returns the job.

    Raises:
        ValueError: if there is no job of that name.
    """
    job = JobServer(config.address, PROGRAM).get(config.name)
    print(f"{_line(job)}\n  {job.command}\n  {job.message}")
    return job


def show_log(config: JobsLogsConfig) -> None:
    """Print what a job has printed so far; with follow, go on until it has ended.

    Raises:
        ValueError: if there is no job of that name.
        RuntimeError: if a job that is followed fails.
    """
    server = JobServer(config.address, PROGRAM)
    if config.follow:
        attend(server, config.name)
    else:
        print(server.log(config.name), end="")


def stop_job(config: JobsStopConfig) -> SubmittedJob:
    """End a job, wait up to STOP_TIMEOUT_S for its end, and print its state; returns the job.

    Raises:
        ValueError: if there is no job of that name.
    """
    server = JobServer(config.address, PROGRAM)
    server.stop(config.name)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while (job := server.get(config.name)).is_live and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
    print(_line(job))
    return job


def _line(job: SubmittedJob) -> str:
    """A row of the table of jobs: name, status, local time of the start, duration."""
    start = "" if job.started_s is None else datetime.fromtimestamp(job.started_s).strftime("%Y-%m-%d %H:%M:%S")
    duration = "" if job.seconds is None else f"{job.seconds:,.0f} s"
    return f"{job.name:<32} {job.status:<10} {start:<20} {duration:>9}"
