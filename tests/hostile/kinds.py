"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind

KINDS: dict[str, Kind] = {}
"""By name."""
