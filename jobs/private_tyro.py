"""The private names of tyro that the command line needs.

`tests/jobs/test_private_tyro.py` fails with a clear word when a new release moves one.
"""

import io
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from tyro import _fmtlib
from tyro._errors import InstantiationFailure, ParseErrorEvent, on_parse_error

__all__ = ["InstantiationFailure", "ParseErrorEvent", "on_parse_error", "whole_words"]
# on_parse_error, ParseErrorEvent, InstantiationFailure: tyro draws a box around a value that is out of range, and names
#   parts of our code in it. A handler takes the event over, so that the error is one line. There is no public hook.
# _fmtlib.cols: tyro's help has the options beside their explanation. On a narrow terminal few columns are left for the
#   latter, and tyro cuts longer words. There is no setting for it.
NARROW_COLUMNS = 72
"""Terminals with fewer columns have the explanation below the option."""
INDENT_COLUMNS, MAX_INDENT_COLUMNS = 4, 8


@contextmanager
def whole_words() -> Iterator[None]:
    """Within the block, tyro cuts no words of its help on a narrow terminal."""
    width = shutil.get_terminal_size().columns
    if width >= NARROW_COLUMNS:
        yield
        return
    beside, output = _fmtlib.cols, io.StringIO()
    _fmtlib.cols = _below  # type: ignore[assignment]
    try:
        with redirect_stdout(output):
            yield
    finally:
        _fmtlib.cols = beside
        sys.stdout.writelines(f"{_wrapped(line, width)}\n" for line in output.getvalue().splitlines())


def _below(*contents: Any) -> Any:
    """What tyro wants side by side, one below the other if the first takes a column of its own."""
    first, *others = contents
    if not isinstance(first, tuple) or first[1] <= MAX_INDENT_COLUMNS:
        return _fmtlib._Cols(*contents)
    explained = _fmtlib._Cols(("", INDENT_COLUMNS), *others)
    return _fmtlib._Rows(first[0], explained) if first[0] else explained


def _wrapped(line: str, width: int) -> str:
    """A line of text or of a usage, which tyro leaves to the terminal to cut; lines of boxes are short enough."""
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + INDENT_COLUMNS) if line[0] in " u" else ""
    line = line.replace(",", ", ") if line.startswith("usage:") else line
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
