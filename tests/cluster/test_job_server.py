"""The rules of job names and logs, without a cluster. Real job servers are tested in tests/test_cluster.py."""

from types import SimpleNamespace

import pytest
from ray.job_submission import JobStatus

from cluster import job_server
from cluster.job_server import JobServer
from cluster.program import Program

PROGRAM = Program(name="paint", launcher="python -m paint.cli", packages=())
LOG = "first line\nsecond line\n"


class FakeClient:
    """A job server in memory. Its log connection breaks off once, in the middle of the log."""

    def __init__(self, address: str | None) -> None:
        self.jobs: dict[str, SimpleNamespace] = {}
        self.num_breaks = 1

    def submit_job(self, *, entrypoint, submission_id, entrypoint_resources, runtime_env) -> str:
        self.jobs[submission_id] = SimpleNamespace(
            submission_id=submission_id,
            entrypoint=entrypoint,
            status=JobStatus.RUNNING,
            message=None,
            start_time=1000 * len(self.jobs),
            end_time=None,
            variables=runtime_env["env_vars"],
        )
        return submission_id

    def list_jobs(self) -> list[SimpleNamespace]:
        copies = [SimpleNamespace(**vars(job)) for job in self.jobs.values()]
        for copy in copies:
            copy.submission_id = "raysubmit_of_others"
        return [*copies, *self.jobs.values()]

    def get_job_info(self, name: str) -> SimpleNamespace:
        if name not in self.jobs:
            raise RuntimeError("Request failed with status code 404: no such job")
        return self.jobs[name]

    def get_job_logs(self, name: str) -> str:
        return LOG

    async def tail_job_logs(self, name: str):
        yield LOG[:15]
        if self.num_breaks:
            self.num_breaks -= 1
            raise RuntimeError("the connection broke off")
        self.jobs[name].status = JobStatus.SUCCEEDED


@pytest.fixture
def server(monkeypatch) -> JobServer:
    monkeypatch.setattr(job_server, "JobSubmissionClient", FakeClient)
    monkeypatch.setattr(job_server, "POLL_INTERVAL_S", 0.0)
    return JobServer(None, PROGRAM)


def test_a_command_finds_its_job_while_it_runs_and_starts_the_next_when_it_has_ended(server):
    name = server.submit(["poster", "--width", "500"], place="s3://b/p", environment={"A": "1"})
    assert name.startswith("paint-poster-")
    assert name.endswith(".1")
    assert server.get(name).command == "paint poster --width 500"
    assert {"A": "1", "MAGIC_SUBMITTED": name}.items() <= server._client.jobs[name].variables.items()
    assert server.submit(["poster", "--width", "500"], place="s3://b/p", environment={}) == name
    assert server.submit(["poster", "--width", "500"], place="s3://b/q", environment={}) != name
    server._client.jobs[name].status = JobStatus.FAILED
    following = server.submit(["poster", "--width", "9"], place="s3://b/p", environment={})
    assert following == name.removesuffix(".1") + ".2"
    assert [job.name for job in server.list()][-1] == name, "the newest first, and none of another program"
    assert len(server.list()) == 3


def test_another_command_for_the_same_place_is_refused(server):
    name = server.submit(["poster"], place="s3://b/p", environment={})
    with pytest.raises(ValueError, match=rf"expected nobody at work in s3://b/p, got the job {name}: paint poster; "):
        server.submit(["poster", "--seed", "5"], place="s3://b/p", environment={})


def test_a_followed_log_is_shown_once_though_its_connection_breaks(server):
    name, parts = server.submit(["poster"], place="s3://b/p", environment={}), []
    job = server.follow(name, parts.append)
    assert job.status == "SUCCEEDED"
    assert "".join(parts) == LOG


def test_an_unknown_job_is_one_clear_line(server):
    with pytest.raises(ValueError, match="expected the name of a job, got 'nope'; see paint jobs list"):
        server.get("nope")


def test_a_server_that_stays_away_ends_the_following(server, monkeypatch):
    def away(name: str) -> None:
        raise RuntimeError("no answer")

    monkeypatch.setattr(server._client, "get_job_info", away)
    with pytest.raises(RuntimeError, match="lost the job server: no answer; the job x may go on without us"):
        server.follow("x", print)
