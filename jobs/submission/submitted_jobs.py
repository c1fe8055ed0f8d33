"""`magic jobs`: what has become of submitted commands."""

import time
from datetime import datetime

from cluster.submission import JobServer, Submitted
from jobs.settings.submission_config import JobsListConfig, JobsLogsConfig, JobsStatusConfig, JobsStopConfig
from jobs.submission.submit import attend

ENDING_S, LOOK_S = 60.0, 0.5


def show_jobs(config: JobsListConfig) -> list[Submitted]:
    """Print a line for each job; returns them."""
    jobs = JobServer(config.address).list()
    for job in jobs:
        print(_line(job))
    if not jobs:
        print("no jobs yet; magic submit starts one")
    return jobs


def show_status(config: JobsStatusConfig) -> Submitted:
    """Print what is known of a job; returns it."""
    job = JobServer(config.address).get(config.name)
    print(f"{_line(job)}\n  {job.command}\n  {job.message}")
    return job


def show_log(config: JobsLogsConfig) -> None:
    """Print a job's log; with follow until it has ended.

    Raises:
        RuntimeError: if a job that is followed fails.
    """
    server = JobServer(config.address)
    if config.follow:
        attend(server, config.name)
    else:
        print(server.log(config.name), end="")


def stop_job(config: JobsStopConfig) -> Submitted:
    """End a job and wait until it has; returns it."""
    server = JobServer(config.address)
    server.stop(config.name)
    until = time.monotonic() + ENDING_S
    while (job := server.get(config.name)).is_live and time.monotonic() < until:
        time.sleep(LOOK_S)
    print(_line(job))
    return job


def _line(job: Submitted) -> str:
    began = "" if job.started_s is None else datetime.fromtimestamp(job.started_s).strftime("%Y-%m-%d %H:%M:%S")
    took = "" if job.seconds is None else f"{job.seconds:,.0f} s"
    return f"{job.name:<32} {job.status:<10} {began:<20} {took:>9}"
