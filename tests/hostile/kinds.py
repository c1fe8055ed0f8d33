"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.pictures import picture_case

KINDS: dict[str, Kind] = {
    "picture": Kind(picture_case, num_tested=300),
}
"""By name."""
