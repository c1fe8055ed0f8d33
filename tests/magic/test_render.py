import numpy as np
import pytest
import torch

from magic.render import Scene, TileRenderer, plan_canvas, plan_grid
from tests.conftest import memory_set, random_generator, textured

LEVEL = 127.5  # 8-bit levels per unit


def paint_by_tiles(renderer, grid):
    """Sweeps and renders of all networks, as the fan-out does them: the collage and the output."""
    shape = (3, grid.height, grid.width)
    collage, output = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for net in renderer.generator.nets:
        statistics = []
        for _ in range(renderer.generator.num_statistics(net)):
            total = None
            for tile in grid:
                moments = renderer.measure(net, tile, statistics, part(collage, tile.read))
                total = moments if total is None else total.merge(moments)
            statistics.append(total)
        for tile in grid:
            place = (slice(None), *tile.core.slices)
            if net == "refiner":
                output[place] = renderer.refine(tile, statistics, part(collage, tile.read)).cpu().numpy()
            else:
                made = renderer.mix(tile, statistics)
                collage[place], output[place] = made.collage[0].cpu().numpy(), made.image[0].cpu().numpy()
    return collage, output


def part(array, box):
    return np.ascontiguousarray(array[(slice(None), *box.slices)])


# content smaller than a tile, sizes off every grid, one tile, many tiles, long and thin; all systems and warps
CASES = [
    (2, 50, 61, 20, {}),
    (2, 97, 33, 48, {"refine": "correct", "inducing_points": 3}),
    (3, 7, 5, 64, {"refiner_sees_content": True}),
    (3, 130, 171, 64, {"refine": "correct"}),
    (3, 64, 200, 40, {"refiner_sees_content": True}),
    (4, 90, 75, 96, {"refine": "correct"}),
    (5, 40, 70, 320, {}),
    (2, 97, 120, 48, {"warp": "flow", "warp_reach_px": 30.0}),
    (3, 130, 90, 64, {"warp": "affine", "refine": "correct"}),
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
    content = textured(rng, height, width) if generator.config.guided else None
    renderer = TileRenderer(generator, Scene(content, memory, canvas), torch.device("cpu"))
    whole = renderer.whole()
    painted = paint_by_tiles(renderer, plan_grid(generator, canvas, core_px))
    for image, expected in zip(painted, (whole.collage, whole.image), strict=True):
        error = np.abs(image - expected[0].numpy()) * LEVEL
        assert error.mean() <= 0.001
        assert error.max() <= 0.02


def test_statistics_of_each_tile_alone_would_show():
    """The bound above means something: the common scheme misses it by orders of magnitude."""
    rng = np.random.default_rng(0)
    generator = random_generator(3)
    canvas = plan_canvas(generator, 130, 171)
    memory = memory_set([textured(rng, 60, 80)], 3, seed=0)
    renderer = TileRenderer(generator, Scene(textured(rng, 130, 171), memory, canvas), torch.device("cpu"))
    whole = renderer.whole()
    tile = plan_grid(generator, canvas, 64)[6]
    statistics = []
    for _ in range(generator.mixing.num_norms):
        statistics.append(renderer.measure("mixing", tile, statistics))
    collage = renderer.mix(tile, statistics).collage[0].numpy()
    error = np.abs(collage - whole.collage[0].numpy()[(slice(None), *tile.core.slices)]) * LEVEL
    assert error.max() > 1.0


def test_a_border_shows_no_frame():
    """What lies outside the poster, beyond its mirror image, cannot be seen on it: a wider bleed changes nothing."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    generator = random_generator(2)
    content = textured(rng, 40, 52)
    memory = memory_set([textured(rng, 60, 80)], 3, seed=0)
    canvas = plan_canvas(generator, 40, 52)
    assert canvas.bleed_before >= generator.mixing.halo.before + generator.refiner.halo.before
    wide = replace(canvas, bleed_before=canvas.bleed_before + 8, height=canvas.height + 8, width=canvas.width + 8)
    statistics = []
    renderer = TileRenderer(generator, Scene(content, memory, canvas), torch.device("cpu"))
    grid = plan_grid(generator, canvas, 1024)
    for _ in range(generator.mixing.num_norms):
        statistics.append(renderer.measure("mixing", grid[0], statistics))
    posters = []
    for some in (canvas, wide):
        renderer = TileRenderer(generator, Scene(content, memory, some), torch.device("cpu"))
        collage = renderer.mix(plan_grid(generator, some, 1024)[0], statistics).collage[0].numpy()
        posters.append(collage[(slice(None), *some.poster.slices)])
    assert np.abs(posters[0] - posters[1]).max() * LEVEL <= 0.02
