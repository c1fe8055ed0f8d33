"""A poster in the viewer: what is true of it, and what is seen of it on the page."""

import functools
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from magic.geometry import Box
from magic.scene.memory import MemorySet, oriented
from pipelines.export.formats import ExportOptions
from pipelines.export.request import ExportRequest
from pipelines.posters.finished_poster import FinishedPoster

HEIGHT, WIDTH = 700, 901
TURNS = ["upright", "turned left", "upside down", "turned right"]


def coordinates(height: int, width: int) -> np.ndarray:
    """A picture whose colours say where they are: column, row, 0."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([across, down, 0 * down], -1).astype(np.uint8)


def viewer(poster: FinishedPoster, url: str, *, quality: int = 90) -> ExportRequest:
    """A viewer's folder that is to be written."""
    return ExportRequest(poster=poster, url=url, options=ExportOptions(quality=quality))


def changed(poster: FinishedPoster, **identity) -> FinishedPoster:
    """The poster under another identity."""
    manifest = replace(poster.manifest, identity=replace(poster.manifest.identity, **identity))
    return FinishedPoster(poster.url, manifest)


def with_many_templates(poster: FinishedPoster, count: int) -> FinishedPoster:
    """The poster with its templates repeated, in its folder."""
    templates = poster.manifest.identity.templates
    many = changed(poster, templates=templates * (count // len(templates)))
    many.record()
    return FinishedPoster.at(poster.url)


@dataclass
class Shown:
    """A poster and its folder for browsers."""

    poster: FinishedPoster
    folder: Path

    @functools.cached_property
    def labels(self) -> np.ndarray:
        return self.poster.store.read("labels", Box(0, 0, *self.poster.store.size()))[0]

    def label(self, x: int, y: int) -> int:
        return int(self.labels[y, x])

    def sources(self, x: int, y: int) -> np.ndarray:
        """Columns and rows of the style picture that lie at a pixel of the poster and around it, [3 3 2]."""
        manifest = self.poster.manifest
        pictures = {number: coordinates(info.height, info.width) for number, info in enumerate(manifest.pictures)}
        memory = MemorySet(pictures, manifest.identity.templates)
        return memory.crop(self.label(x, y), Box(y - 1, x - 1, y + 2, x + 2))[..., :2].astype(int)

    def orientation(self, x: int, y: int) -> str | None:
        """How the picture lies at a pixel; None where the mirrored plane turns around."""
        seen = self.sources(x, y)
        for turns in range(4):
            for flip in (False, True):
                laid = oriented(coordinates(3, 3), flip=flip, turns=turns)[..., :2].astype(int)
                if np.array_equal(laid - laid[1, 1], seen - seen[1, 1]):
                    return TURNS[turns] + (", then flipped" if flip else "")
        return None

    def colour(self, x: int, y: int) -> np.ndarray:
        return np.array(self.poster.colours[self.label(x, y)])


def settle(page) -> None:
    """Wait until all that is to be seen is drawn."""
    page.wait_for_function("[...items.values()].every((i) => i.getOpacity() === 0 || i.getFullyLoaded())")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("[...items.values()].every((i) => i.getOpacity() === 0 || i.getFullyLoaded())")


def place_of(page, x: int, y: int) -> tuple[float, float]:
    """Where on the page the middle of a poster's pixel is when all of the poster is shown."""
    box = page.locator("#poster").bounding_box()
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def seen_at(page, place: tuple[float, float]) -> np.ndarray:
    """The colour on the screen."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return np.array(picture.getpixel((int(place[0]), int(place[1]))))


def flat_place(poster: FinishedPoster) -> tuple[int, int]:
    """Column and row of a pixel around which the poster has one colour, so that resampling hardly changes it."""
    parts = np.lib.stride_tricks.sliding_window_view(poster.whole("output").astype(int), (3, 3), (0, 1))
    row, column = np.argwhere(np.ptp(parts, axis=(-2, -1)).max(-1)[100:600, 100:800] == 0)[0]
    return int(column) + 101, int(row) + 101
