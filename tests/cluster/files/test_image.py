import subprocess
import sys
import tomllib
from pathlib import Path

from cluster.files.container_environment import UID

ROOT = Path(__file__).parents[3]
HADOLINT = Path(sys.executable).parent / "hadolint"


def lint(dockerfile: str) -> str:
    done = subprocess.run([HADOLINT, "-"], input=dockerfile, text=True, capture_output=True, check=False)
    return done.stdout + done.stderr


def test_the_dockerfile_is_linted():
    assert lint((ROOT / "Dockerfile").read_text()) == ""
    assert "DL3003" in lint("FROM python:3.11-slim\nRUN cd /tmp && ls\n")


def test_the_image_has_what_the_files_rely_on():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"USER {UID}:{UID}" in dockerfile
    assert "HOME=/home/magic" in dockerfile
    assert {"wget", "rsync", "openssh-client"} <= set(dockerfile.split())
    project_file = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert ".[server]" in dockerfile
    assert "server" in project_file["project"]["optional-dependencies"]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {name for name in project_file["tool"]["setuptools"]["packages"]["find"]["include"] if "*" not in name}
    assert let_in == packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
