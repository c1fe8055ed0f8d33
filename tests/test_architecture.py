import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["magic", "pipelines", "cluster", "jobs"])
def test_packages_are_ours_and_not_those_of_other_projects_with_the_same_name(name):
    assert Path(importlib.import_module(name).__file__).parent == ROOT / name


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, jobs.cli; print([m for m in ('torch', 'ray', 'mlflow', 'numpy', 'fsspec') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"


def test_every_installed_version_is_pinned():
    freeze = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True, check=True
    )
    pinned = set((ROOT / "constraints.txt").read_text().split())
    installed = {line.partition("+")[0] for line in freeze.stdout.split()}  # torch==2.13.0+cpu is torch 2.13.0
    assert {line for line in installed - pinned if not line.startswith(("nvidia-", "cuda-", "triton"))} == set()
