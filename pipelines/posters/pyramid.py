"""The pyramid levels of a poster's layers, made block by block, each level from the one below it."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy import ndarray

from magic.geometry import Box
from pipelines.posters.layers import LAYERS
from pipelines.posters.poster_store import PosterStore
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps


def build_pyramid(store: PosterStore, names: Sequence[str]) -> Steps[None]:
    """Write all blocks of these layers' pyramids that are not written yet: a work of one stage for each level.

    Raises:
        RuntimeError: if blocks keep failing; the others are kept.
    """
    shared = Shared(store)
    for level in range(1, store.num_levels):  # a level needs the one below it as a whole
        num_blocks = len(store.blocks(level))
        missing = [
            index * num_blocks + block
            for index, name in enumerate(names)
            for block in sorted(set(range(num_blocks)) - store.done(name, level))
        ]
        write, title = partial(_write_numbered, tuple(names), level), f"pyramid, 1/{2**level} of the size"
        yield from apply_to_each(shared, write, missing, title)


def halved(pixels: ndarray, *, has_means: bool) -> ndarray:
    """Pixels [C h w] at half the size, [C ceil(h/2) ceil(w/2)].

    Args:
        pixels: of a layer.
        has_means: each pixel is the mean of 2x2, rounded half up; otherwise it is the upper left one of the four.
    """
    if not has_means:
        return pixels[:, ::2, ::2]
    odd = [(0, side % 2) for side in pixels.shape[1:]]
    even = np.pad(pixels, ((0, 0), *odd), mode="edge").astype(np.uint16)
    rows = even[:, ::2] + even[:, 1::2]
    return ((rows[..., ::2] + rows[..., 1::2] + 2) >> 2).astype(np.uint8)


def write_block(store: PosterStore, name: str, level: int, number: int) -> None:
    """Make one block of a pyramid level from the level below it."""
    box = store.blocks(level)[number].core
    height, width = store.size(level - 1)
    source = Box(2 * box.top, 2 * box.left, min(2 * box.bottom, height), min(2 * box.right, width))
    pixels = halved(store.read(name, source, level - 1), has_means=LAYERS[name].has_means)
    store.write(name, box, pixels, level)


def _write_numbered(names: Sequence[str], level: int, store: PosterStore, task: int) -> None:
    index, block = divmod(task, len(store.blocks(level)))
    write_block(store, names[index], level, block)
