"""The kinds of hostile cases: one table."""

from tests.hostile import poster_folders
from tests.hostile.cases import Kind
from tests.hostile.command_lines import COMMAND_LINE
from tests.hostile.model_folders import MODEL_FOLDER
from tests.hostile.pictures import PICTURE
from tests.hostile.places import PLACE
from tests.hostile.registries import REGISTRY

KINDS: dict[str, Kind] = {
    "command line": COMMAND_LINE,
    "damaged poster": Kind(poster_folders.damaged, 150, poster_folders.posters),
    "damaged poster made anew": Kind(poster_folders.mended, 3, poster_folders.posters_and_ray),
    "edited poster": Kind(poster_folders.edited, 100, poster_folders.posters),
    "picture": PICTURE,
    "place": PLACE,
    "model folder": MODEL_FOLDER,
    "registry": REGISTRY,
}
"""By name."""
