"""Which version of this project's code is running: for runs, models and posters to name."""

import importlib.metadata
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

VARIABLE = "MAGIC_CODE_VERSION"
"""Environment variable that names the version where the code runs without its repository: in submitted jobs."""
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "magic-collage"
TIMEOUT_S = 10


@cache
def code_version() -> str:
    """The commit, "-dirty" if files differ from it; else what the environment says; else the package's version."""
    described = _git("describe", "--always", "--dirty", "--abbrev=12")
    given = os.environ.get(VARIABLE)
    if described or given:
        return described or str(given)
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@cache
def git_commit() -> str | None:
    """The whole name of the commit that is checked out, or None where the code lies in no repository of its own."""
    return _git("rev-parse", "HEAD")


def git_user() -> str | None:
    """Who commits on this machine, or None where git does not know."""
    return _git("config", "user.name", here=False)


def _git(*args: str, here: bool = True) -> str | None:
    """What git says, or None where it fails, or is not about a repository of this project's own."""
    git = shutil.which("git")
    if git is None or (here and not (ROOT / ".git").exists()):  # a repository further up is somebody else's
        return None
    command = [git, "-C", str(ROOT), *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip() or None
