import numpy as np
import pytest
import torch

from magic.geometry import Box
from magic.pixels import LEVELS_PER_UNIT
from magic.scene.content import Content
from magic.scene.reference import Difference, render_region, render_tiled, render_whole
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from tests.conftest import memory_set, random_generator, textured


def assert_equal(painted, expected):
    for name in ("output", "collage"):
        error = np.abs(getattr(painted, name) - getattr(expected, name)) * LEVELS_PER_UNIT
        assert error.mean() <= 0.001
        assert error.max() <= 0.02


# content smaller than a tile, sizes off every grid, one tile, many tiles, long and thin; all systems and warps
CASES = [
    (2, 50, 61, 20, {}),
    (2, 97, 33, 48, {"refine": "blend", "inducing_points": 3}),
    (3, 7, 5, 64, {"refiner_sees_content": True}),
    (3, 130, 171, 64, {"refine": "blend"}),
    (3, 64, 200, 40, {"refiner_sees_content": True, "refiner_channels": 7}),
    (4, 90, 75, 96, {"refine": "blend"}),
    (5, 40, 70, 320, {}),
    (2, 97, 120, 48, {"warp": "flow", "warp_reach_px": 30.0}),
    (3, 130, 90, 64, {"warp": "affine", "refine": "blend"}),
    (2, 70, 90, 40, {"guided": False, "warp": "affine"}),
    (3, 130, 90, 64, {"system": "mosaic"}),
    (3, 130, 90, 64, {"system": "famos", "memory_size": 3}),
]


@pytest.mark.parametrize(("depth", "height", "width", "core_px", "settings"), CASES)
def test_tiles_equal_the_whole_pass(depth, height, width, core_px, settings):
    rng = np.random.default_rng(height)
    generator = random_generator(depth, **settings)
    canvas = plan_canvas(generator, height, width)
    memory = memory_set([textured(rng, 60, 80), textured(rng, 45, 50)], 3, seed=width)
    content = Content.of(textured(rng, height, width)) if generator.config.guided else None
    renderer = TileRenderer(generator, Scene(content, memory, canvas), torch.device("cpu"))
    whole = render_whole(renderer)
    grid = plan_grid(generator, canvas, core_px)
    for kept in ((), range(len(grid))):
        painted, statistics = render_tiled(renderer, grid, keep=kept)
        assert_equal(painted, whole)
        assert Difference.between(painted, whole).flips <= 1e-4 * height * width
    box = Box(3, 5, min(40, canvas.height), min(50, canvas.width))
    assert_equal(render_region(renderer, box, statistics), whole.part(box))


def test_what_is_kept_changes_no_bit():
    """A tile whose pass was lost, or had no room, is computed anew to the same numbers."""
    rng = np.random.default_rng(0)
    generator = random_generator(3, refine="blend")
    canvas = plan_canvas(generator, 130, 171)
    scene = Scene(Content.of(textured(rng, 130, 171)), memory_set([textured(rng, 60, 80)], 3, seed=0), canvas)
    renderer = TileRenderer(generator, scene, torch.device("cpu"))
    grid = plan_grid(generator, canvas, 64)
    some, all_of_them = (render_tiled(renderer, grid, keep=k)[0] for k in ((1, 4), range(len(grid))))
    for one, other in zip(some, all_of_them, strict=True):
        assert np.array_equal(one, other)


IN_BF16 = [
    (3, (), "none"),
    (3, range(99), "none"),
    (4, (), "none"),
    (5, range(99), "none"),
    (3, (), "affine"),
    (3, range(99), "flow"),
]


@pytest.mark.parametrize(("depth", "kept", "warp"), IN_BF16)
def test_tiles_equal_the_whole_pass_in_bf16(depth, kept, warp):
    """A last bit of bf16 is half a level: the bounds hold because no bit differs before it is rounded."""
    rng = np.random.default_rng(depth)
    generator = random_generator(depth, channels=2, heads=1, refine="blend", warp=warp)
    canvas = plan_canvas(generator, 30, 40)
    scene = Scene(Content.of(textured(rng, 30, 40)), memory_set([textured(rng, 60, 80)], 2, seed=0), canvas)
    renderer = TileRenderer(generator, scene, torch.device("cpu"), "bf16")
    painted, _ = render_tiled(renderer, plan_grid(generator, canvas, 16 << depth - 2), keep=kept)
    assert_equal(painted, render_whole(renderer))


def test_tiles_equal_the_whole_pass_with_hundreds_of_templates():
    rng = np.random.default_rng(0)
    generator = random_generator(2, channels=4, heads=1, inducing_points=4)
    canvas = plan_canvas(generator, 12, 17)
    memory = memory_set([textured(rng, 60, 80), textured(rng, 45, 50)], 500, seed=0)
    renderer = TileRenderer(generator, Scene(Content.of(textured(rng, 12, 17)), memory, canvas), torch.device("cpu"))
    painted, _ = render_tiled(renderer, plan_grid(generator, canvas, 40))
    assert_equal(painted, render_whole(renderer))


def test_statistics_of_each_tile_alone_would_show():
    """The bound above means something: the common scheme misses it by orders of magnitude."""
    rng = np.random.default_rng(0)
    generator = random_generator(3)
    canvas = plan_canvas(generator, 130, 171)
    memory = memory_set([textured(rng, 60, 80)], 3, seed=0)
    renderer = TileRenderer(generator, Scene(Content.of(textured(rng, 130, 171)), memory, canvas), torch.device("cpu"))
    whole = renderer.whole()
    tile = plan_grid(generator, canvas, 64)[6]
    statistics = []
    for _ in range(generator.mixing.num_norms):
        statistics.append(renderer.measure(renderer.start("mixing", tile.read), tile, statistics))
    collage = renderer.mix(renderer.start("mixing", tile.read), tile, statistics).collage[0].numpy()
    error = np.abs(collage - whole.collage[0].numpy()[(slice(None), *tile.core.slices)]) * LEVELS_PER_UNIT
    assert error.max() > 1.0


def test_a_border_shows_no_frame():
    """What lies outside the poster, beyond its mirror image, cannot be seen on it: a wider padding changes nothing."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    generator = random_generator(2)
    content = Content.of(textured(rng, 40, 52))
    memory = memory_set([textured(rng, 60, 80)], 3, seed=0)
    canvas = plan_canvas(generator, 40, 52)
    assert canvas.padding_before >= generator.mixing.halo.before + generator.refiner.halo.before
    wide = replace(canvas, padding_before=canvas.padding_before + 8, height=canvas.height + 8, width=canvas.width + 8)

    def painted(some, statistics):
        renderer = TileRenderer(generator, Scene(content, memory, some), torch.device("cpu"))
        tile = plan_grid(generator, some, 1024)[0]
        collage = renderer.mix(renderer.start("mixing", tile.read), tile, statistics["mixing"]).collage[0].numpy()
        begun = renderer.start("refiner", tile.read, collage)
        output = renderer.refine(begun, tile, statistics["refiner"], collage).numpy()
        return [part[(slice(None), *some.poster.slices)] for part in (collage, output)]

    renderer = TileRenderer(generator, Scene(content, memory, canvas), torch.device("cpu"))
    _, statistics = render_tiled(renderer, plan_grid(generator, canvas, 1024))
    for narrow, wider in zip(painted(canvas, statistics), painted(wide, statistics), strict=True):
        assert np.abs(narrow - wider).max() * LEVELS_PER_UNIT <= 0.02
