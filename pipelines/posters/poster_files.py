"""The names of the files that a poster's store consists of, and what errors call them."""

import re

from magic.checks import shown
from magic.networks.generator import Net

TILES, DESCRIPTION = "tiles.zarr", "zarr.json"
"""Folder of the layers, and the file of each Zarr group and array that says what it is."""
STATISTICS = "statistics"
"""Folder of the statistics."""
_SHARD = re.compile(rf"{TILES}/(?P<layer>\w+)/(?P<level>\d+)/c/0/(?P<row>\d+)/(?P<column>\d+)")


def array_folder(name: str, level: int) -> str:
    """Folder of a layer at a pyramid level."""
    return f"{TILES}/{name}/{level}"


def shard_file(name: str, level: int, row: int, column: int) -> str:
    """File of a tile or, of levels other than 0, of a block."""
    return f"{array_folder(name, level)}/c/0/{row}/{column}"


def statistics_file(net: Net, number: int) -> str:
    """File of a statistic."""
    return f"{STATISTICS}/{net}-{number:02d}.safetensors"


def called(file: str) -> str:
    """A file in words."""
    shard = _SHARD.fullmatch(file)
    if shard is None:
        return file
    level = int(shard["level"])
    what, size = ("block", f" at 1/{2**level} of its size") if level else ("tile", "")
    place = f"row {shard['row']} and column {shard['column']}"
    return f"the {what} of the layer {shard['layer']}{size} in {place} ({file})"


def damage(url: str, file: str, fault: str, num_others: int = 0) -> ValueError:
    """The error for a damaged file of a poster.

    Args:
        url: of the poster's folder.
        file: its path below it.
        fault: what is there in its place.
        num_others: further files that are damaged.
    """
    others = f", and {num_others} more such files" if num_others else ""
    return ValueError(
        f"expected {shown(called(file))} in {shown(url)} as it was written, got {fault}{others}; "
        "run the `magic poster` command that made it again: it makes anew what is damaged, and nothing else"
    )
