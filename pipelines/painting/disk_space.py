"""What a poster takes on storage, and whether there is room for it."""

from collections.abc import Mapping

from magic.checks import require
from pipelines.painting.poster_task import PosterTask
from pipelines.painting.probe import Probe
from pipelines.posters.layers import LAYERS
from pipelines.quantities import gigabytes
from pipelines.storage.disk import free_space, used_bytes
from pipelines.storage.door import is_local

PYRAMID_FACTOR = 4 / 3
"""A layer with all levels of its pyramid, over the layer alone."""
SAFETY_FACTOR = 1.2
"""The probe has seen one place of the poster; other places may compress less well."""


def stored_bytes(task: PosterTask, probe: Probe) -> dict[str, int]:
    """What each layer will take in the store, pyramid levels included, in bytes."""
    is_painted = len(task.store.done("output")) == len(task.grid)
    sizes = {}
    for name, per_px in probe.stored_bytes.items():
        stays = not LAYERS[name].is_temporary
        if stays or not is_painted:
            sizes[name] = int(task.scene.canvas.box.area * per_px * (PYRAMID_FACTOR if stays else 1))
    return sizes


def require_room(url: str, store_bytes: int, files: Mapping[str, int]) -> None:
    """Refuse a poster that will not fit on the disk.

    Of other storage nobody knows how much is free; but files for it pass through a temporary folder of this machine.

    Args:
        url: of the poster's folder.
        store_bytes: size of its store.
        files: names and sizes in bytes of what is written beside it.

    Raises:
        ValueError: if the poster needs more than is free.
    """
    folder, free_bytes = free_space(url)
    if is_local(url):
        needed = int(SAFETY_FACTOR * (store_bytes + sum(files.values()))) - used_bytes(url)
    else:
        needed = max((size for name, size in files.items() if not name.endswith("/")), default=0)
    require(
        needed <= free_bytes,
        f"{gigabytes(needed)} of free disk in {folder} for {url}",
        gigabytes(free_bytes),
        "make room, choose another --out, or fewer layers and formats",
    )
