"""The version of this project's code that is running. Runs, models and posters record it."""

import importlib.metadata
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

CODE_VERSION_VARIABLE = "MAGIC_CODE_VERSION"
"""Environment variable that states the version where the code runs without its repository, as in submitted jobs."""
ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTION = "magic-collage"
TIMEOUT_S = 10


@cache
def code_version() -> str:
    """The version of the running code: the first of these that is known.

    1. The commit that is checked out, with "-dirty" behind it if tracked files differ from the commit.
    2. What the environment variable MAGIC_CODE_VERSION states.
    3. The version of the installed distribution.
    4. "unknown".
    """
    version = _git("describe", "--always", "--dirty", "--abbrev=12") or os.environ.get(CODE_VERSION_VARIABLE)
    if version:
        return version
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@cache
def git_commit() -> str | None:
    """The 40 digits of the commit that is checked out, or None where the code is not in its own repository."""
    return _git("rev-parse", "HEAD")


def git_user() -> str | None:
    """The user's name in git's configuration, or None where git has none."""
    return _git("config", "user.name", needs_repository=False)


def _git(*args: str, needs_repository: bool = True) -> str | None:
    """What a git command prints; None where it fails, prints nothing, or lacks this project's own repository."""
    git = shutil.which("git")
    # without a .git of our own, git would find the repository of a folder further up, which is another project's
    if git is None or (needs_repository and not (ROOT / ".git").exists()):
        return None
    command = [git, "-C", str(ROOT), *args]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return None
    return process.stdout.strip() or None
