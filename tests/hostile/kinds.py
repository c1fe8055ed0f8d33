"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.command_lines import COMMAND_LINE

KINDS: dict[str, Kind] = {"command line": COMMAND_LINE}
"""By name."""
