"""The kinds of hostile cases: one table."""

from tests.hostile.cases import Kind
from tests.hostile.command_lines import COMMAND_LINE
from tests.hostile.model_folders import MODEL_FOLDER
from tests.hostile.pictures import PICTURE
from tests.hostile.places import PLACE
from tests.hostile.poster_folders import DAMAGED, EDITED, MENDED
from tests.hostile.registries import REGISTRY

KINDS: dict[str, Kind] = {
    "command line": COMMAND_LINE,
    "damaged poster": DAMAGED,
    "damaged poster made anew": MENDED,
    "edited poster": EDITED,
    "picture": PICTURE,
    "place": PLACE,
    "model folder": MODEL_FOLDER,
    "registry": REGISTRY,
}
"""By name."""
