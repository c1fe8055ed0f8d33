"""`magic verify`: a finished poster against one pass over the whole canvas, and against itself painted anew."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isqrt
from typing import NamedTuple

import numpy as np
import psutil
import torch

from jobs.models.lookup import find_model
from jobs.settings.poster_config import VerifyConfig
from magic.checks import require
from magic.geometry import Box, round_up
from magic.hyperparameters import Precision
from magic.measures.seams import seam_ratio
from magic.networks.generator import Generator
from magic.pixels import picture_of, to_uint8
from magic.scene.content import Content
from magic.scene.memory import MemorySet, Template
from magic.scene.reference import Difference, Rendering, render_tiled, render_whole
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from magic.tables import measures_table
from pipelines.painting.comparison import check_regions, compare
from pipelines.painting.plan import max_kept_bytes
from pipelines.posters.checking import require_whole
from pipelines.posters.finished_poster import FinishedPoster

MAX_WHOLE_PX = 4_000_000
"""The largest canvas that is painted in one pass, unless the settings say otherwise."""
PEAK_FACTOR = 6
"""Memory of a forward pass at its peak, in its attention, over what a suspended pass holds."""
FREE_SHARE = 0.5
"""Of the free memory, that a forward pass may take."""


class Bounds(NamedTuple):
    """The largest errors that rounding explains."""

    mean: float
    """In 8-bit levels."""
    maximum: float
    """In 8-bit levels."""
    flips: float
    """Share of the pixels that show another template."""


EXACT = Bounds(mean=0.01, maximum=1, flips=1e-3)
"""Of fp32. Where a value lies between two levels, either may be in the store."""
ROUGH = Bounds(mean=1, maximum=32, flips=0.05)
"""Of half precision, which a GPU rounds in other ways than the CPU that verifies."""


def verify(config: VerifyConfig) -> dict[str, dict[str, float]]:
    """Print a table of errors in 8-bit levels, a column for each comparison; returns them.

    Raises:
        ValueError: if the poster, its model or its pictures are not there, or are others now.
        RuntimeError: if the poster is further away from what it should be than rounding explains.
    """
    torch.set_num_threads(config.threads or torch.get_num_threads())
    poster = FinishedPoster.at(config.poster)
    require_whole(poster.store)
    check = Check(config, poster, load_generator(poster, config), poster.scene())
    columns = check.whole_against_tiles() | check.store_against_regions()
    print(measures_table(columns))
    if poster.is_preview:
        print("PREVIEW: painted right by its own statistics, which are approximate")
    for title, column in columns.items():
        judge(poster.url, title, column, EXACT if check.precision == "fp32" else ROUGH)
    return columns


def load_generator(poster: FinishedPoster, config: VerifyConfig) -> Generator:
    """The generator that painted a poster.

    Raises:
        ValueError: if it is another one now.
    """
    expected = poster.manifest.identity.model
    model = find_model(expected.uri, config.cluster)
    require(
        model.packed.digest == expected.digest,
        f"the poster's model {expected.uri} ({expected.digest[:12]})",
        model.packed.digest[:12],
        "put it back",
    )
    return model.generator()


@dataclass(frozen=True)
class Check:
    """Paints a poster, or parts of it, in other ways."""

    config: VerifyConfig
    poster: FinishedPoster
    generator: Generator
    scene: Scene

    @property
    def precision(self) -> Precision:
        """Of the arithmetic that painted the poster."""
        return self.poster.manifest.identity.precision

    def whole_against_tiles(self) -> dict[str, dict[str, float]]:
        """One forward pass against tiles and, where the pass is over the whole canvas, against the store."""
        part = self.scene if self.fits else part_of(self.generator, self.scene, isqrt(int(self.max_px)))
        renderer = self._renderer(part)
        whole, core_px = render_whole(renderer), self._core_px(part)
        grid = plan_grid(self.generator, part.canvas, core_px)
        keeps = self.poster.manifest.identity.plan.keep
        tiled, _ = render_tiled(renderer, grid, keep=range(len(grid)) if keeps else ())
        size = "" if self.fits else f", {part.canvas.width} x {part.canvas.height} px"
        difference = Difference.between(tiled, whole)._asdict() | {"pixels": part.canvas.box.area}
        columns = {f"tiles of {core_px} px and one pass{size}": difference | seams(tiled, whole, core_px)}
        if self.fits and self.poster.manifest.identity.statistics == "exact":
            shown = whole.part(part.canvas.poster)
            error = compare(self.poster, Box(0, 0, *self.poster.store.size()), shown)
            columns["the store and one pass"] = error._asdict()
        return columns

    def store_against_regions(self) -> dict[str, dict[str, float]]:
        """Regions of the store against the same regions painted anew."""
        if not self.config.regions:
            return {}
        error = check_regions(
            self.poster,
            self._renderer(self.scene),
            self.config.regions,
            self.config.region_px,
            seed=self.config.seed,
        )
        return {f"the store and {self.config.regions} regions anew": error._asdict()}

    @cached_property
    def max_px(self) -> float:
        """The largest canvas that is painted in one pass, in pixels; found once, since free memory changes."""
        k = len(self.scene.memory.templates)
        return self.config.whole_px or min(MAX_WHOLE_PX, room_px(self.generator, k, self.precision))

    @property
    def fits(self) -> bool:
        """Whether the whole canvas is painted in one pass."""
        return self.scene.canvas.box.area <= self.max_px

    def _core_px(self, part: Scene) -> int:
        """Side of the tiles: the poster's own or, of a part and of a poster of one tile, smaller ones."""
        if self.fits and len(self.poster.store.grid) > 1:
            return self.poster.manifest.identity.plan.tile
        return small_core(self.generator, part)

    def _renderer(self, scene: Scene) -> TileRenderer:
        return TileRenderer(self.generator, scene, torch.device("cpu"), self.precision)


def judge(url: str, title: str, found: Mapping[str, float], bounds: Bounds) -> None:
    """Fail where a comparison found more than rounding.

    Raises:
        RuntimeError: if so.
    """
    flips = found["flips"] / found["pixels"]
    if found["mean"] > bounds.mean or found["maximum"] > bounds.maximum or flips > bounds.flips:
        raise RuntimeError(
            f"{url} is up to {found['maximum']:.3g} of 256 levels away from what it should be, {found['mean']:.3g} on "
            f"average, and {flips:.3%} of its pixels show another template ({title}; sound are {bounds.maximum:g}, "
            f"{bounds.mean:g} and {bounds.flips:.1%}); see the table, then paint it anew into another folder"
        )


def room_px(generator: Generator, num_templates: int, precision: Precision) -> int:
    """The largest canvas whose forward pass fits into the memory that it may take, in pixels."""
    px_bytes = PEAK_FACTOR * max_kept_bytes(generator, num_templates, 1, precision)
    return int(FREE_SHARE * psutil.virtual_memory().available / px_bytes)


def part_of(generator: Generator, scene: Scene, side_px: int) -> Scene:
    """The middle of a scene, small enough for one pass, as a scene of its own."""
    height, width = scene.canvas.poster_height, scene.canvas.poster_width
    padding = plan_canvas(generator, 1, 1)
    sides = [
        max(min(side_px - spare, length), 1) for spare, length in ((padding.height, height), (padding.width, width))
    ]
    top, left = (height - sides[0]) // 2, (width - sides[1]) // 2
    box = Box(top, left, top + sides[0], left + sides[1])
    moved = tuple(replace_place(template, top, left) for template in scene.memory.templates)
    content = None if scene.content is None else Content.of(scene.content.window(box))
    return Scene(content, MemorySet(scene.memory.pictures, moved), plan_canvas(generator, *sides))


def replace_place(template: Template, top: int, left: int) -> Template:
    """The template as it lies in a plane whose corner is there."""
    return replace(template, top=template.top + top, left=template.left + left)


def small_core(generator: Generator, scene: Scene) -> int:
    """Tiles of which three make a side."""
    return round_up(-(-max(scene.canvas.height, scene.canvas.width) // 3), generator.config.multiple)


def seams(tiled: Rendering, whole: Rendering, core_px: int) -> dict[str, float]:
    """The seam ratio at the tiles' borders, of what tiles made and, at the same places, of one pass."""
    pictures = [picture_of(to_uint8(torch.from_numpy(shown.output))) for shown in (tiled, whole)]
    if max(pictures[0].shape) <= core_px:
        return {}
    ratios = [seam_ratio(np.ascontiguousarray(picture), core_px) for picture in pictures]
    return {"seam_ratio": ratios[0], "seam_ratio_of_one_pass": ratios[1]}
