"""Parts of a finished poster, painted again and compared with what the store holds."""

from typing import NamedTuple

import numpy as np
import torch

from magic.geometry import Box
from magic.pixels import to_uint8
from magic.scene.reference import Rendering, render_region
from magic.scene.renderer import TileRenderer
from pipelines.painting.poster_task import PosterTask
from pipelines.posters.finished_poster import FinishedPoster


class StoreError(NamedTuple):
    """How far a store is from what was painted anew, in 8-bit levels: both are rounded to whole ones. Of output and
    collage, whichever is farther.
    """

    mean: float
    maximum: int
    flips: int
    """Pixels that show another template."""
    pixels: int

    def joined(self, other: "StoreError") -> "StoreError":
        """Over the pixels of both."""
        pixels = self.pixels + other.pixels
        mean = (self.mean * self.pixels + other.mean * other.pixels) / pixels
        return StoreError(mean, max(self.maximum, other.maximum), self.flips + other.flips, pixels)


def compare(poster: FinishedPoster, box: Box, shown: Rendering) -> StoreError:
    """The store's pixels in a box of the poster, against what was painted there anew."""
    errors = [
        np.abs(poster.store.read(name, box).astype(int) - to_uint8(torch.from_numpy(anew)).numpy())
        for name, anew in {"output": shown.output, "collage": shown.collage}.items()
    ]
    flips = (poster.store.read("labels", box)[0] != shown.labels).sum()
    mean, maximum = (max(float(measure(error)) for error in errors) for measure in (np.mean, np.max))
    return StoreError(mean, int(maximum), int(flips), shown.labels.size)


def measure_error(
    task: PosterTask, renderer: TileRenderer, poster: FinishedPoster, number: int, side_px: int
) -> StoreError:
    """Check regions of a poster that was just painted, as a function for Painting.on_one_worker."""
    return check_regions(poster, renderer, number, side_px, seed=0)


def check_regions(
    poster: FinishedPoster, renderer: TileRenderer, number: int, side_px: int, *, seed: int
) -> StoreError:
    """Paint regions of a poster again from its statistics, each in one piece that does not keep to its tiles.

    Args:
        poster: a painted one.
        renderer: of the same model, scene and precision.
        number: how many regions.
        side_px: their side.
        seed: picks them.
    """
    generator = renderer.generator
    statistics = poster.statistics({net: generator.num_statistics(net) for net in generator.nets})
    rng = np.random.default_rng(seed)
    height, width = poster.store.size()
    padding, total = poster.store.canvas.padding_before, None
    for _ in range(number):
        top, left = (int(rng.integers(max(length - side_px, 0) + 1)) for length in (height, width))
        box = Box(top, left, min(top + side_px, height), min(left + side_px, width))
        error = compare(poster, box, render_region(renderer, box.shifted(padding, padding), statistics))
        total = error if total is None else total.joined(error)
    assert total is not None, "no region"
    return total
