"""What a hostile case is, and what counts as a good answer to one."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs import cli

SENTENCE_CHARACTERS = 1_000
"""The longest message that people still read."""
ANSWERS = (ValueError, OSError, RuntimeError)
"""Errors by which our code says that an input is of no use."""


class UnacceptableError(AssertionError):
    """An answer to a hostile input that no user should get."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile or odd input, ready to be tried."""

    name: str
    """What was done to what: the same for the same seed."""
    try_it: Callable[[], str]
    """Does what a user would do with it, and says in a word what came of it. It raises UnacceptableError, or anything
    that is not an answer, if that is not what should have come."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of cases."""

    make: Callable[[np.random.Generator, Path], Case]
    """Makes one at random, in an empty folder of its own."""
    num_tested: int
    """How many of them the tests try."""
    prepare: Callable[[], object] = lambda: None
    """Does what takes long, in the process that tries the cases and before its first one."""


def answer(action: Callable[[], object]) -> str:
    """What came of an action of the product that may refuse its input, in a word."""
    try:
        action()
    except ANSWERS as error:
        require_sentence(str(error))
        return "refused"
    return "accepted"


def require_sentence(message: str) -> None:
    """Fail unless a message is one that a user can read: one line, not empty, no inner parts of Python in it.

    Raises:
        UnacceptableError: otherwise.
    """
    line = message.strip()
    if not line or "Traceback" in line or " object at 0x" in line or len(line) > SENTENCE_CHARACTERS:
        raise UnacceptableError(f"no message for a user: {line[:300]!r}")
    if any(not (character.isprintable()) for character in line):
        raise UnacceptableError(f"a message with control characters or of several lines: {line[:300]!r}")


def magic(*args: object) -> tuple[int, str]:
    """Run a command in this process; returns its exit code and what it printed as its error.

    Raises:
        UnacceptableError: if it ends by an exception, or its error is not one line.
    """
    errors, output = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
            code = cli.main([str(arg) for arg in args])
    except SystemExit as end:  # tyro's own: --help, or an option that it does not know
        code = end.code if isinstance(end.code, int) else 1
        return code, errors.getvalue()
    except BaseException as error:
        raise UnacceptableError(f"magic {' '.join(map(str, args))} raised {error!r}") from error
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("magic: ")]
    if code and len(lines) != 1:
        raise UnacceptableError(f"exit code {code} with {len(lines)} lines of error: {errors.getvalue()[-300:]!r}")
    for line in lines:
        require_sentence(line)
    return code, lines[0] if lines else ""
