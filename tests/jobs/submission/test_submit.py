"""What a submitted command is told, and what it refuses. That it runs is tested in test_cluster.py."""

from dataclasses import replace

import pytest

from cluster.job_server import SubmittedJob
from jobs import cli
from jobs.settings.submission_config import JobsLogsConfig, SubmitConfig
from jobs.settings.training_config import TrainConfig
from jobs.submission import submit
from magic.options import Setting, settings_of
from pipelines.storage.door import fetch


def settings(*args: object) -> list[Setting]:
    return list(settings_of(cli.parse([str(arg) for arg in args])))


def test_the_command_is_what_follows_submits_own_options():
    parsed = cli.parse(["submit", "--address", "http://127.0.0.1:1", "--detach", "train", "demo", "--steps", "3"])
    assert parsed == SubmitConfig(address="http://127.0.0.1:1", detach=True, command=("train", "demo", "--steps", "3"))
    assert isinstance(cli.parse(parsed.command), TrainConfig)
    assert cli.parse(["submit"]).command == ()
    assert cli.parse(["jobs", "logs", "magic-x", "--follow"]) == JobsLogsConfig(name="magic-x", follow=True)


def test_pictures_of_this_machine_become_options_that_name_their_copies(s3, pictures):
    train = settings(
        *("train", "demo", "--content.urls", pictures / "content", "--style.urls", pictures / "style" / "0.png"),
        *("--out", f"{s3}/runs"),
    )
    options = submit.uploaded(train)
    assert options[0::2] == ["--content.urls", "--style.urls"]
    assert options[1].startswith(f"{s3}/runs-inputs/")
    assert fetch(options[3]) == (pictures / "style" / "0.png").read_bytes()
    assert submit.uploaded(train) == options, "the same job has the same name each time"
    there = settings("train", "demo", "--content.urls", f"{s3}/a", "--style.urls", f"{s3}/b", "--out", f"{s3}/runs")
    assert submit.uploaded(there) == []


def test_a_shared_disk_needs_no_copies(pictures, tmp_path):
    there = settings(
        *("poster", "--model", "models:/m@current", "--content", pictures / "content", "--out", tmp_path / "poster")
    )
    submit.check_places(there)
    assert submit.uploaded(there) == []
    near = settings("poster", "--model", "models:/m@current", "--content", "content.png", "--out", tmp_path / "poster")
    with pytest.raises(ValueError, match="--out on storage, for pictures of this machine"):
        submit.uploaded(near)


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (("train", "demo"), "runs"),
        (("poster", "--model", "my/model", "--content", "s3://b/c.png", "--out", "s3://b/p"), "my/model"),
        (("export", "out/poster", "s3://b/p.png"), "out/poster"),
        (("export", "s3://b/poster", "p.png"), "p.png"),
    ],
)
def test_places_mean_the_same_here_and_there(args, place):
    with pytest.raises(ValueError, match=f"on storage that the cluster reaches, got '{place}'; give s3://"):
        submit.check_places(settings(*args))


def test_code_is_shipped_and_nothing_else(tmp_path):
    submit.PROGRAM.copy_packages(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(submit.PROGRAM.packages)
    files = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert ".py" in files
    assert not files & {".pyc", ".db", ".png", ".safetensors"}
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 5_000_000


def test_a_machine_without_python_is_told():
    job = SubmittedJob(
        name="magic-train-1.1",
        status="FAILED",
        command="magic train demo",
        message="Job entrypoint command failed with exit code 127",
        started_s=1.0,
        ended_s=2.0,
    )
    with pytest.raises(RuntimeError, match=r"job magic-train-1\.1 failed: .* has no `python` on the PATH"):
        submit.report(job)
    with pytest.raises(RuntimeError, match="its log says more"):
        submit.report(replace(job, message="Job entrypoint command failed with exit code 1"))
