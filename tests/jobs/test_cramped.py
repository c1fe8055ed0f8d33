"""Commands in a place that lacks something: few open files, no home folder, a full temporary folder."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines.storage.door import fetch
from tests.servers.faults import fill, small_disk

NUM_OPEN_FILES = 64
COMMAND = [sys.executable, "-m", "jobs.cli"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def poster(make_poster) -> str:
    return make_poster(120, 140).url


def magic(
    *args: object, before: list[str] = (), limit: int | None = None, cwd: Path | None = None, **environment: str
) -> tuple[int, list[str]]:
    """Run a command in a process of its own; returns its exit code and the lines of its error."""

    def lower() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    command = [*before, *COMMAND, *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False, preexec_fn=lower
    )
    return done.returncode, done.stderr.splitlines()


def few_files(*args: object) -> tuple[int, list[str]]:
    return magic(*args, limit=NUM_OPEN_FILES)


def test_files_are_exported_with_few_open_files(poster, tmp_path):
    names = [tmp_path / name for name in ("a.png", "a.tif", "a.jpg")]
    assert few_files("export", poster, *names)[0] == 0
    assert all(path.stat().st_size for path in names)


def test_a_command_that_needs_ray_says_at_once_that_more_files_must_be_open(poster, tmp_path):
    code, lines = few_files("export", poster, f"{tmp_path}/viewer/")
    assert (code, lines) == (
        2,
        ["magic: expected that a process may open 256 files, got 64; raise it: ulimit -n 256"],
    )
    assert not list(tmp_path.iterdir())


def nobody() -> list[str]:
    """What runs a command as a user whom the machine does not know, and who has no home folder."""
    unshare = ["unshare", "--user", "--map-user=12345", "env", "--unset=HOME"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody be another user")
    return unshare


def test_nobody_needs_a_home_folder_for_an_export(poster, tmp_path):
    assert magic("export", poster, f"{tmp_path}/a.png", before=nobody())[0] == 0


def test_nobody_needs_a_home_folder_to_paint(model, pictures, tmp_path):
    args = ["poster", "--model", model, "--content", f"{pictures}/content/portrait.png", "--style", f"{pictures}/style"]
    args += ["--width", 60, "--templates", 2, "--workers", 1, "--formats", "png", "viewer", "--out", tmp_path]
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # sockets below it
        code, lines = magic(*args, before=nobody(), RAY_TMPDIR=short, RAY_AUTH_MODE="token")
    assert code == 0, lines
    assert (tmp_path / "viewer" / "index.html").exists()


def test_a_full_temporary_folder_is_passed_by(poster, s3, tmp_path):
    """Exports to object storage go through one: Python then takes another."""
    with small_disk(tmp_path / "small", 1_000_000) as disk:
        fill(disk)
        assert magic("export", poster, f"{tmp_path}/a.png", f"{s3}/a.png", TMPDIR=str(disk))[0] == 0
    assert fetch(f"{s3}/a.png") == (tmp_path / "a.png").read_bytes()


def test_a_folder_that_cannot_be_written_to_is_told_at_once(tmp_path):
    """Where MLflow would try again for more than a minute."""
    with small_disk(tmp_path / "disk", 1_000_000) as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        code, lines = magic("models", "list", cwd=folder)
    assert code == 2
    (line,) = lines
    assert line.startswith("magic: expected an MLflow database that can be read or made at")
