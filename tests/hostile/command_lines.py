"""Odd and wrong command lines. None of them can start any work: what they name is not there."""

import contextlib
import io
import os
import sys
import tempfile
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from jobs import cli
from jobs.commands import COMMANDS, GROUPS, SUBMIT, TRAIN
from jobs.settings.recipes import RECIPES
from magic.options import settings_of
from tests.hostile.cases import Case, Kind, UnacceptableError, magic

NOBODY = "http://127.0.0.1:9"
"""Nobody listens there."""
NEEDED = {
    "poster": ("--model", "no-model", "--content", "none.png", "--out", "out"),
    "batch": ("none.csv", "--out", "out"),
    "export": ("no-poster", "out.png"),
    "verify": ("no-poster",),
    "sample": ("--model", "no-model", "--out", "out"),
    "score": ("none.png", "--style.urls", "none"),
    "reproduce": ("fig7", "--dry-run"),
    "cluster": ("render", "compose", "--image", "registry/image:1"),
    "jobs list": ("--address", NOBODY),
    "jobs status": ("name", "--address", NOBODY),
    "jobs logs": ("name", "--address", NOBODY),
    "jobs stop": ("name", "--address", NOBODY),
    "models list": (),
    "models show": ("nobody",),
    "models compare": ("nobody", "else"),
    "models promote": ("models:/nobody/1", "--alias", "prod", "--why", "it is good"),
    "models export": ("nobody", "out"),
    "models import": ("none", "--name", "nobody"),
}
"""What each command has to be given, and does not find."""
NO_NUMBERS = ("1e400", "nan", "inf", "-inf", "NaN", "Infinity")
VALUES = (
    *NO_NUMBERS,
    "", " ", "0", "-0", "1", "2", "7", "-1", "1.5", "-2.5", "1e3",
    "99999999999999999999", "-99999999999999999999", "9" * 400, "1_000", "0x10", "\u0663", "1,5", "1 2", "True", "None",
    "none", "auto", "frozen", "whole", "fixed", "match", "famos", "mosaic", "magic", "flow", "fp16", "png", "gif",
    "labels", "a", "a=b", "=", "*", "[", "a/b", "..", "\u00fc", "\U0001f5bc", "\u202eab", "a\nb", "a\x1b[2Jb", "\udcff",
    "x" * 5000, "-", "--", "---", "--help-me", "models:/nobody/1", "models:/", "models:/a@b@c", "s3://", "s4://a/b",
    "http://[::1", "$(id)", "`id`", "'", '"', "\\", "%s", "{}", "<b>",
)  # fmt: skip
ODD_OPTIONS = (
    "--",
    "---",
    "-x",
    "--=",
    "--steps=",
    "--no",
    "--no-",
    "-h=3",
    "--widht",
    "--gpu",
    "--\u00fc",
    "--a b",
    "",
)
HARMLESS = {"dry_run", "out", "to", "folder", "address"}
"""Settings that are left alone: a line must stay one that starts no work and that writes nowhere else."""


class Line(NamedTuple):
    """A command with its settings."""

    words: tuple[str, ...]
    needed: tuple[str, ...]
    options: tuple[str, ...]


def command_line(rng: np.random.Generator, folder: Path) -> Case:
    """A command with what it needs, less some of it, and one to four odd options with odd values."""
    line = _lines()[rng.integers(len(_lines()))]
    needed = list(line.needed)
    if needed and rng.random() < 0.1:
        del needed[rng.integers(len(needed))]
    args = [*line.words, *needed]
    for _ in range(rng.integers(1, 4)):
        num_values = rng.choice([0, 1, 2], p=[0.1, 0.8, 0.1])
        args += [_option(rng, line), *(VALUES[number] for number in rng.integers(len(VALUES), size=num_values))]
    return Case(" ".join(repr(arg)[:60] for arg in args), partial(_try, folder, args))


@lru_cache(1)
def _lines() -> list[Line]:
    """Trainings are submitted, because they begin with Ray's start; all others look first at what they were given."""
    lines = []
    for group, commands in (("", COMMANDS), *((group.name, group.commands) for group in GROUPS)):
        for command in commands:
            words = (group, command.name) if group else (command.name,)
            if command not in (TRAIN, SUBMIT):
                lines.append(Line(words, NEEDED[" ".join(words)], _options(command.settings)))
    submit = (SUBMIT.name, "--address", NOBODY)
    trainings = [
        Line((*submit, TRAIN.name, name), ("--out", "s3://b/runs"), _options(TRAIN.settings)) for name in RECIPES
    ]
    submitted = Line(
        (*submit, "poster"), ("--model", "s3://b/m", "--content", "s3://b/c", "--out", "s3://b/o"), lines[0].options
    )
    return [*lines, *trainings, submitted, Line(submit, (), ("--detach", "--driver-resource"))]


def _options(settings: type) -> tuple[str, ...]:
    return tuple(setting.option for setting in settings_of(settings) if setting.name.split(".")[-1] not in HARMLESS)


def _option(rng: np.random.Generator, line: Line) -> str:
    """Mostly one that the command has; else one with a fault in it, or one of any other command."""
    own = line.options[rng.integers(len(line.options))] if line.options else "--none"
    other = _lines()[rng.integers(len(_lines()))].options or ("--none",)
    place = int(rng.integers(2, len(own)))
    odd = (
        ODD_OPTIONS[rng.integers(len(ODD_OPTIONS))],
        other[rng.integers(len(other))],
        own[:place] + own[place + 1 :],
        f"{own}={VALUES[rng.integers(len(VALUES))]}",
        own.replace("-", "_").replace("__", "--", 1),
        own.upper(),
    )
    return own if rng.random() < 0.85 else odd[rng.integers(len(odd))]


def _try(folder: Path, args: list[str]) -> str:
    """Run it in its folder."""
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{_store()}/mlflow.db",
        "HOME": str(folder),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    with contextlib.chdir(folder), patch.dict(os.environ, environment):
        code, message = magic(*args)
        if any(value in args for value in NO_NUMBERS):
            _require_finite(args[3:] if args[0] == SUBMIT.name else args)
        left = sorted(path.name for path in folder.iterdir())
    return judged(code, message, left)


@lru_cache(1)
def _store() -> str:
    """A folder for a database that all lines of this process share: to make one takes seconds."""
    return tempfile.mkdtemp(prefix="hostile-store-")


def judged(code: int, message: str, left: list[str]) -> str:
    """In a word, what came of it.

    Raises:
        UnacceptableError: for a message that does not say what is wrong, or anything that was begun.
    """
    if code not in (0, 1, 2):
        raise UnacceptableError(f"exit code {code}: {message[:300]!r}")
    if code and (not message.strip() or "Traceback" in message):
        raise UnacceptableError(f"exit code {code} without a word on why: {message[:300]!r}")
    if code and left:
        raise UnacceptableError(f"refused, and yet it wrote {left}: {message[:300]!r}")
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()
        raise UnacceptableError("it started Ray")
    return "refused" if code else "accepted"


def _require_finite(args: list[str]) -> None:
    """Fail if anything that is no number gets through as one, whatever came of the command."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(ValueError, SystemExit):
        for setting in settings_of(cli.parse(args)):
            numbers = setting.value if isinstance(setting.value, tuple) else (setting.value,)
            if any(isinstance(number, float) and not np.isfinite(number) for number in numbers):
                raise UnacceptableError(f"{setting.option} may be {setting.value}")


COMMAND_LINE = Kind(make=command_line, num_tested=200)
