"""Seeded crops: every batch is a function of the pictures, the seed and the number of the batch. Needs numpy alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.geometry import Box
from magic.scene.memory import MemorySet, Pictures, allot, draw_templates, oriented
from pipelines.pictures.settings import CropConfig

Picture = UInt8[ndarray, "_ _ 3"]


class Patch(NamedTuple):
    """A square of a picture."""

    pixels: UInt8[ndarray, "3 P P"]
    top: int
    """Row of the picture at which it begins."""
    left: int
    """Column of the picture at which it begins."""


def crop(picture: Picture, patch_px: int, rng: np.random.Generator, *, mirror: bool, rotate: bool = False) -> Patch:
    """A square at a random place.

    Args:
        picture: what it is cut from; no side may be shorter than patch_px.
        patch_px: its side in pixels.
        rng: draws the place, the flip and the turns.
        mirror: flip it left to right with a probability of one half.
        rotate: turn it by a random number of quarter turns.
    """
    top = int(rng.integers(picture.shape[0] - patch_px + 1))
    left = int(rng.integers(picture.shape[1] - patch_px + 1))
    patch = picture[top : top + patch_px, left : left + patch_px]
    flip = mirror and bool(rng.integers(2))
    patch = oriented(patch, flip=flip, turns=int(rng.integers(4)) if rotate else 0)
    return Patch(patch.transpose(2, 0, 1), top, left)


def pool_of(shares: Sequence[float], batch_number: int, config: CropConfig) -> list[int]:
    """Numbers of the pictures from which a batch is cut; a picture with a large share may come more than once.

    Of a source with more than config.pool_pictures pictures it is a seeded choice, which changes after every
    config.batches_per_pool batches.
    """
    if len(shares) <= config.pool_pictures and len(set(shares)) == 1:
        return list(range(len(shares)))
    turn = batch_number // config.batches_per_pool
    rng = np.random.default_rng([config.seed, 1, turn])
    return sorted(allot(shares, config.pool_pictures, rng))


def draw_batch(content: Pictures | None, style: Pictures, batch_number: int, config: CropConfig) -> dict[str, ndarray]:
    """One training batch, the fields of magic.training.batch.Batch as arrays.

    Args:
        content: content pictures, None for unguided collages.
        style: style pictures.
        batch_number: of the batch, from 0; there is no last one.
        config: sizes and seed.
    """
    rng = np.random.default_rng([config.seed, 0, batch_number])
    size, k = config.batch_size, config.num_templates
    if config.min_templates is not None:
        k = int(rng.integers(config.min_templates, k + 1))

    def patches(count: int, source: Pictures, *, mirror: bool, rotate: bool) -> list[Patch]:
        chosen = rng.choice(pool_of(source.shares, batch_number, config), count)
        return [crop(source.get(int(i)), config.patch_px, rng, mirror=mirror, rotate=rotate) for i in chosen]

    batch, painted = {}, []
    if content is not None:
        painted = patches(size, content, mirror=False, rotate=False)
        batch["content"] = np.stack([patch.pixels for patch in painted])
    if config.memory == "fixed":
        memory = fixed_memory(style, config)
        batch["templates"] = np.stack([_memory_at(patch, memory, config.patch_px) for patch in painted])
    else:
        pixels = np.stack([p.pixels for p in patches(size * k, style, mirror=config.mirror, rotate=config.rotate)])
        batch["templates"] = pixels.reshape(size, k, *pixels.shape[1:])
    real = patches(size, style, mirror=config.mirror, rotate=config.rotate)
    return batch | {"style": np.stack([patch.pixels for patch in real])}


def fixed_memory(style: Pictures, config: CropConfig) -> MemorySet:
    """The memory set of a model with a fixed one: it depends on the pictures and the seed alone."""
    drawn = draw_templates(style, config.num_templates, config.seed, mirror=config.mirror, rotate=config.rotate)
    return MemorySet.of(style, drawn)


def _memory_at(patch: Patch, memory: MemorySet, patch_px: int) -> UInt8[ndarray, "K 3 P P"]:
    """What a memory set holds where a content patch lies."""
    place = Box(patch.top, patch.left, patch.top + patch_px, patch.left + patch_px)
    return memory.window(place).transpose(0, 3, 1, 2)
