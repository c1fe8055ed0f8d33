"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.command_lines import COMMAND_LINE
from tests.hostile.pictures import PICTURE
from tests.hostile.places import PLACE

KINDS: dict[str, Kind] = {
    "command line": COMMAND_LINE,
    "picture": PICTURE,
    "place": PLACE,
}
"""By name."""
