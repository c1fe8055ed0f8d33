"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.pictures import PICTURE
from tests.hostile.places import PLACE

KINDS: dict[str, Kind] = {
    "picture": PICTURE,
    "place": PLACE,
}
"""By name."""
