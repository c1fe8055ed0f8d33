"""The halvings of a poster's layers, block by block."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

import numpy as np
from numpy import ndarray

from magic.geometry import Box
from pipelines.store.poster_store import PosterStore
from pipelines.workers.pool import Hands

PICKED = ("labels", "top_labels", "top_weights")
"""Layers whose numbers have no mean: of four pixels the upper left one stays."""


def halve(store: PosterStore, names: Sequence[str], *, num_workers: int) -> None:
    """Do all that is not done yet of the halvings of these layers.

    Raises:
        RuntimeError: if blocks keep failing; the others are kept.
    """
    with closing(Hands(store, num_workers)) as hands:
        for level in range(1, store.num_levels):  # each is made from the one below
            size = len(store.blocks(level))
            left = [
                place * size + block
                for place, name in enumerate(names)
                for block in sorted(set(range(size)) - store.done(name, level))
            ]
            for _ in hands.each(partial(_halve, names, level), left, f"halving to 1/{2**level}"):
                pass


def halved(name: str, pixels: ndarray) -> ndarray:
    """A layer's pixels [C h w] at half the size, [C ceil(h/2) ceil(w/2)]: means of 2x2, rounded half up."""
    if name in PICKED:
        return pixels[:, ::2, ::2]
    odd = [(0, side % 2) for side in pixels.shape[1:]]
    even = np.pad(pixels, ((0, 0), *odd), mode="edge").astype(np.uint16)
    rows = even[:, ::2] + even[:, 1::2]
    return ((rows[..., ::2] + rows[..., 1::2] + 2) >> 2).astype(np.uint8)


def write_block(store: PosterStore, name: str, level: int, number: int) -> None:
    """Make one block of a halving from the level below it."""
    box = store.blocks(level)[number].core
    height, width = store.size(level - 1)
    below = Box(2 * box.top, 2 * box.left, min(2 * box.bottom, height), min(2 * box.right, width))
    store.write(name, box, halved(name, store.read(name, below, level - 1)), level)


def _halve(names: Sequence[str], level: int, store: PosterStore, task: int) -> None:
    place, number = divmod(task, len(store.blocks(level)))
    write_block(store, names[place], level, number)
