"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.places import PLACE

KINDS: dict[str, Kind] = {"place": PLACE}
"""By name."""
