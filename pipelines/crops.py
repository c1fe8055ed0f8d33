"""Seeded crops: every batch is a function of the pictures, the seed and the batch's number. numpy alone."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from pipelines.config import CropConfig

Picture = UInt8[ndarray, "_ _ 3"]
GetPicture = Callable[[int], Picture]


def crop(picture: Picture, patch_px: int, rng: np.random.Generator, *, mirror: bool) -> UInt8[ndarray, "3 P P"]:
    """A square at a random place, with mirror flipped left to right every other time."""
    top = int(rng.integers(picture.shape[0] - patch_px + 1))
    left = int(rng.integers(picture.shape[1] - patch_px + 1))
    patch = picture[top : top + patch_px, left : left + patch_px]
    if mirror and rng.integers(2):
        patch = patch[:, ::-1]
    return patch.transpose(2, 0, 1)


def pool_of(num_pictures: int, batch_number: int, config: CropConfig) -> list[int]:
    """Which pictures of a source are in use for a batch: all, or a seeded choice that changes now and then."""
    if num_pictures <= config.pool_pictures:
        return list(range(num_pictures))
    turn = batch_number // config.batches_per_pool
    rng = np.random.default_rng([config.seed, 1, turn])
    return sorted(rng.choice(num_pictures, config.pool_pictures, replace=False).tolist())


def draw_batch(
    content: tuple[int, GetPicture], style: tuple[int, GetPicture], batch_number: int, config: CropConfig
) -> dict[str, ndarray]:
    """One training batch, the fields of magic.batch.Batch as arrays.

    Args:
        content: how many content pictures there are, and how to get one by number.
        style: the same for style pictures.
        batch_number: which batch of the endless sequence.
        config: sizes and seed.
    """
    rng = np.random.default_rng([config.seed, 0, batch_number])
    size, k = config.batch_size, config.num_templates

    def patches(count: int, source: tuple[int, GetPicture], *, mirror: bool) -> UInt8[ndarray, "n 3 P P"]:
        num_pictures, get = source
        pool = pool_of(num_pictures, batch_number, config)
        chosen = rng.choice(pool, count)
        return np.stack([crop(get(int(i)), config.patch_px, rng, mirror=mirror) for i in chosen])

    templates = patches(size * k, style, mirror=True)
    return {
        "content": patches(size, content, mirror=False),
        "templates": templates.reshape(size, k, *templates.shape[1:]),
        "style": patches(size, style, mirror=True),
    }
