"""`magic verify`: a finished poster against one pass over the whole canvas, and against itself painted anew."""

from collections.abc import Mapping
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
from magic.networks.packed import unpack_generator
from magic.pixels import to_uint8
from magic.scene.content import Content
from magic.scene.cost import bytes_kept
from magic.scene.memory import MemorySet, Template
from magic.scene.reference import Difference, Shown, by_tiles, in_one_pass
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from magic.tables import as_table
from pipelines.painting.comparison import check_regions, compare
from pipelines.store.finished_poster import FinishedPoster

WHOLE_PX = 4_000_000
PASS_OVER_KEPT = 6
"""What a pass needs at its peak, in its attention, over what it holds between two norms."""


class Bounds(NamedTuple):
    """The most that a sound poster differs by."""

    mean: float
    """In 8-bit levels."""
    maximum: float
    """In 8-bit levels."""
    flips: float
    """Share of the pixels that show another template."""


EXACT = Bounds(mean=0.01, maximum=1, flips=1e-3)
"""Of fp32. Where a value lies between two levels, either may be in the store."""
ROUGH = Bounds(mean=1, maximum=32, flips=0.05)
"""Of half precision, which rounds in other ways on the GPU that painted than on the CPU that verifies."""


def verify(config: VerifyConfig) -> dict[str, dict[str, float]]:
    """Print a table of errors in 8-bit levels, a column for each comparison; returns them.

    Raises:
        ValueError: if the poster, its model or its pictures are not there, or are others now.
        RuntimeError: if the poster is further away from what it should be than rounding explains.
    """
    torch.set_num_threads(config.threads or torch.get_num_threads())
    poster = FinishedPoster.at(config.poster)
    model = find_model(poster.manifest["model"]["uri"], config.cluster)
    digest = poster.manifest["model"]["digest"]
    require(model.packed.digest == digest, f"the poster's model {digest[:12]}", model.packed.digest[:12], "put it back")
    generator, scene, precision = unpack_generator(model.packed), poster.scene(), poster.manifest["precision"]
    columns, device = {}, torch.device("cpu")
    exact = poster.manifest["statistics"] == "exact"
    whole_px = config.whole_px or min(WHOLE_PX, room_px(generator, len(scene.memory.templates), precision))
    fits = scene.canvas.height * scene.canvas.width <= whole_px
    part = scene if fits else part_of(generator, scene, isqrt(int(whole_px)))
    renderer = TileRenderer(generator, part, device, precision)
    whole = in_one_pass(renderer)
    core = poster.manifest["tile"] if len(poster.store.grid) > 1 and fits else small_core(generator, part)
    grid = plan_grid(generator, part.canvas, core)
    tiled, _ = by_tiles(renderer, grid, keep=range(len(grid)) if poster.manifest["plan"]["keep"] else ())
    pixels = part.canvas.height * part.canvas.width
    title = f"tiles of {core} px and one pass" + ("" if fits else f", {part.canvas.width} x {part.canvas.height} px")
    columns[title] = Difference.between(tiled, whole)._asdict() | {"pixels": pixels} | seams(tiled, whole, core)
    if fits and exact:
        shown = whole.part(scene.canvas.poster)
        columns["the store and one pass"] = compare(poster, Box(0, 0, *poster.store.size()), shown)._asdict()
    if config.regions:
        renderer = TileRenderer(generator, scene, device, precision)
        columns[f"the store and {config.regions} regions anew"] = check_regions(
            poster, renderer, config.regions, config.region_px, seed=config.seed
        )._asdict()
    print(as_table(columns))
    if poster.is_preview:
        print("PREVIEW: painted right by its own statistics, which are approximate")
    for title, column in columns.items():
        judge(poster.url, title, column, EXACT if precision == "fp32" else ROUGH)
    return columns


def judge(url: str, title: str, found: Mapping[str, float], most: Bounds) -> None:
    """Fail where a comparison found more than rounding.

    Raises:
        RuntimeError: if so.
    """
    flips = found["flips"] / found["pixels"]
    if found["mean"] > most.mean or found["maximum"] > most.maximum or flips > most.flips:
        raise RuntimeError(
            f"{url} is up to {found['maximum']:.3g} of 256 levels away from what it should be, {found['mean']:.3g} on "
            f"average, and {flips:.3%} of its pixels show another template ({title}; sound are {most.maximum:g}, "
            f"{most.mean:g} and {most.flips:.1%}); see the table, then paint it anew into another folder"
        )


def room_px(generator: Generator, num_templates: int, precision: Precision) -> int:
    """The largest canvas whose pass takes no more than half of the memory that is free, in pixels."""
    each = max(bytes_kept(generator.config, net, num_templates, 1, precision) for net in generator.nets)
    return int(psutil.virtual_memory().available / (2 * PASS_OVER_KEPT * each))


def part_of(generator: Generator, scene: Scene, side_px: int) -> Scene:
    """The middle of a scene, small enough for one pass, as a scene of its own."""
    height, width = scene.canvas.poster_height, scene.canvas.poster_width
    bleed = plan_canvas(generator, 1, 1)
    sides = [max(min(side_px - spare, length), 1) for spare, length in ((bleed.height, height), (bleed.width, width))]
    top, left = (height - sides[0]) // 2, (width - sides[1]) // 2
    box = Box(top, left, top + sides[0], left + sides[1])
    moved = tuple(replace_place(template, top, left) for template in scene.memory.templates)
    content = None if scene.content is None else Content.of(scene.content.window(box))
    return Scene(content, MemorySet(scene.memory.pictures, moved), plan_canvas(generator, *sides))


def replace_place(template: Template, top: int, left: int) -> Template:
    """The template as it lies in a plane whose corner is there."""
    return template._replace(top=template.top + top, left=template.left + left)


def small_core(generator: Generator, scene: Scene) -> int:
    """Tiles of which three make a side."""
    return round_up(-(-max(scene.canvas.height, scene.canvas.width) // 3), generator.config.multiple)


def seams(tiled: Shown, whole: Shown, core_px: int) -> dict[str, float]:
    """The seam ratio at the tiles' borders, of what tiles made and, at the same places, of one pass."""
    pictures = [to_uint8(torch.from_numpy(shown.output)).numpy().transpose(1, 2, 0) for shown in (tiled, whole)]
    if max(pictures[0].shape) <= core_px:
        return {}
    ratios = [seam_ratio(np.ascontiguousarray(picture), core_px) for picture in pictures]
    return {"seam_ratio": ratios[0], "seam_ratio_of_one_pass": ratios[1]}
