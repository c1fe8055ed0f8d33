"""The kinds of hostile cases: one table."""

from tests.hostile import poster_folders
from tests.hostile.cases import Kind

KINDS: dict[str, Kind] = {
    "damaged poster": Kind(poster_folders.damaged, 150, poster_folders.posters),
    "damaged poster made anew": Kind(poster_folders.mended, 3, poster_folders.posters_and_ray),
    "edited poster": Kind(poster_folders.edited, 100, poster_folders.posters),
}
"""By name."""
