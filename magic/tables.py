"""Tables in Markdown: the one way in which this project makes them, and names in them."""

import re
from collections.abc import Iterable, Mapping, Sequence

from magic.checks import printable

_BAR = re.compile(r"(\\*)\|")
"""A bar, and what is before it that would take its escape for its own."""


def code_span(name: str) -> str:
    r"""A name as Markdown shows it and nothing else: no link, no HTML, no emphasis, whatever is in it.

    >>> print(code_span("[a](http://b).png"), code_span("`<b>`"))
    `[a](http://b).png` `` `<b>` ``
    """
    text = printable(name)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    padding = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table. A bar or a line break within a cell would end the cell, so they are escaped, and control characters are
    written out: what is in a cell may be anybody's.

    >>> print(markdown_table(["layer", "px"], [["output", "512"], ["a|b\x1b[2J", "8"]]))
    | layer | px |
    | --- | --- |
    | output | 512 |
    | a\|b\x1b[2J | 8 |
    """
    cells = [[_BAR.sub(r"\1\1\\|", printable(cell.replace("\n", " "))) for cell in row] for row in (heads, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{' --- |' * len(heads)}", *lines[1:]])


def measures_table(columns: Mapping[str, Mapping[str, float | int]]) -> str:
    """Measures as rows and what was measured as columns, with four significant digits.

    >>> print(measures_table({"one": {"entropy": 0.25}, "two": {"entropy": 0.5, "segments": 3.0}}))
    | measure | one | two |
    | --- | --- | --- |
    | entropy | 0.25 | 0.5 |
    | segments |  | 3 |
    """
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = ([name, *(_shown(column.get(name)) for column in columns.values())] for name in names)
    return markdown_table(["measure", *columns], rows)


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:.4g}"


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, for a terminal, to which nothing in a cell is an order."""
    lines = [[printable(cell) for cell in line] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
