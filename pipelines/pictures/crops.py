"""Seeded crops: every batch is a function of the pictures, the seed and the batch's number. numpy alone."""

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
    left: int


def crop(picture: Picture, patch_px: int, rng: np.random.Generator, *, mirror: bool, rotate: bool = False) -> Patch:
    """A square at a random place.

    Args:
        picture: what to cut it from.
        patch_px: its side.
        rng: decides.
        mirror: flip it left to right every other time.
        rotate: turn it by a random number of quarter turns.
    """
    top = int(rng.integers(picture.shape[0] - patch_px + 1))
    left = int(rng.integers(picture.shape[1] - patch_px + 1))
    patch = picture[top : top + patch_px, left : left + patch_px]
    flip = mirror and bool(rng.integers(2))
    patch = oriented(patch, flip=flip, turns=int(rng.integers(4)) if rotate else 0)
    return Patch(patch.transpose(2, 0, 1), top, left)


def pool_of(shares: Sequence[float], batch_number: int, config: CropConfig) -> list[int]:
    """Which pictures of a source are in use for a batch, some perhaps twice: as often as their shares say.

    Of a large source it is a seeded choice that changes now and then.
    """
    if len(shares) <= config.pool_pictures and len(set(shares)) == 1:
        return list(range(len(shares)))
    turn = batch_number // config.batches_per_pool
    rng = np.random.default_rng([config.seed, 1, turn])
    return sorted(allot(shares, config.pool_pictures, rng))


def draw_batch(content: Pictures | None, style: Pictures, batch_number: int, config: CropConfig) -> dict[str, ndarray]:
    """One training batch, the fields of magic.training.batch.Batch as arrays.

    Args:
        content: content pictures, none for unguided collages.
        style: style pictures.
        batch_number: which batch of the endless sequence.
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
        batch["templates"] = np.stack([_memory_at(patch, style, config) for patch in painted])
    else:
        pixels = np.stack([p.pixels for p in patches(size * k, style, mirror=config.mirror, rotate=config.rotate)])
        batch["templates"] = pixels.reshape(size, k, *pixels.shape[1:])
    real = patches(size, style, mirror=config.mirror, rotate=config.rotate)
    return batch | {"style": np.stack([patch.pixels for patch in real])}


def fixed_memory(style: Pictures, config: CropConfig) -> MemorySet:
    """The memory set that the seed picks once and for all."""
    drawn = draw_templates(style, config.num_templates, config.seed, mirror=config.mirror, rotate=config.rotate)
    return MemorySet.of(style, drawn)


def _memory_at(patch: Patch, style: Pictures, config: CropConfig) -> UInt8[ndarray, "K 3 P P"]:
    place = Box(patch.top, patch.left, patch.top + config.patch_px, patch.left + config.patch_px)
    return fixed_memory(style, config).window(place).transpose(0, 3, 1, 2)
