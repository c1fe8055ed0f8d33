"""Plans follow from what a worker can do; the probe asks a real one."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from magic.networks.packed import pack_generator
from magic.scene.content import Content
from magic.scene.scene import Scene, plan_canvas, plan_grid
from pipelines.painting.disk_space import require_room, stored_bytes
from pipelines.painting.painting import Painting, SentParts
from pipelines.painting.plan import Planner
from pipelines.painting.plan_text import plan_lines
from pipelines.painting.poster_task import PosterTask, Tiling, measured_tiles
from pipelines.painting.probe import Probe, probe, workers_on_a_gpu
from pipelines.painting.tile_worker import tile_workers
from pipelines.posters.poster_store import PosterStore
from pipelines.quantities import gigabytes
from pipelines.workers.functions import Shared
from pipelines.workers.pool import WorkerPool
from tests.conftest import memory_set, random_generator, textured

PROBE = Probe(
    flops_per_s={"mixing": 1e10, "refiner": 1e10},
    peak_bytes=1000.0,
    stored_bytes={"labels": 0.1, "collage": 2.0, "unrefined": 9.0, "output": 2.5},
    store_seconds=1e-8,
    memory_bytes=10**9,
    device="CPU",
)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    rng = np.random.default_rng(0)
    generator = random_generator(4)
    canvas = plan_canvas(generator, 3000, 4000)
    content = Content(textured(rng, 60, 80), 3000, 4000)
    scene = Scene(content, memory_set([textured(rng, 60, 80)], 3, seed=0), canvas)
    grid = plan_grid(generator, canvas, 16)
    store = PosterStore(str(tmp_path_factory.mktemp("plan") / "poster"), grid, canvas)
    num_statistics = {net: generator.num_statistics(net) for net in generator.nets}
    return generator, PosterTask(num_statistics, scene, Tiling(grid), store, threads=1)


def planner(task, workers=2, memory=10**9, **changes):
    generator, given = task
    given = replace(given, **changes)
    return Planner(generator, given.scene, given, PROBE, workers, memory)


def test_one_pass_where_the_canvas_fits_one_worker(task):
    plan = planner(task, workers=1, memory=10**11).choose((256, 1024), (False, True), whole=None)
    assert plan.is_whole
    assert plan.worker_bytes <= 10**11
    kept = planner(task, workers=1, memory=10**11).choose((256, 1024), (False, True), whole=False)
    assert plan.flops < kept.flops


def test_kept_where_memory_allows_and_anew_where_not(task):
    """Keeping costs one pass and its halos; everything anew costs each pass again."""
    roomy = planner(task, memory=10**11).choose((1024,), (False, True), whole=False)
    assert roomy.keep
    tight = planner(task, memory=int(1.4e9)).choose((1024,), (True,), whole=False)
    anew = planner(task, memory=int(1.4e9)).choose((1024,), (False,), whole=False)
    assert roomy.flops < tight.flops
    assert roomy.flops < anew.flops
    assert tight.worker_bytes <= 1.4e9
    assert tight.spare_bytes < 1.4e9
    assert anew.worker_bytes + anew.spare_bytes == int(1.4e9)  # it keeps nothing, and others of a batch may


def test_small_memory_makes_small_tiles_and_too_little_is_refused(task):
    assert planner(task, memory=2 * 10**8).choose((256, 1024), (False,), whole=None).grid.core_px == 256
    with pytest.raises(
        ValueError, match=r"expected a tile to fit into a worker's memory of 1 MB, got .* px; take fewer"
    ):
        planner(task, memory=10**6).choose((256, 1024), (False,), whole=None)
    with pytest.raises(ValueError, match="one pass over the canvas to fit"):
        planner(task, memory=10**9).choose((256,), (False,), whole=True)


def test_frozen_statistics_and_previews_are_cheaper(task):
    def flops(statistics):
        return planner(task, statistics=statistics).choose((256,), (False,), whole=False).flops

    assert flops("frozen") < flops("preview") < flops("exact")


@pytest.mark.parametrize(("tiles", "expected"), [(5, 5), (16, 16), (17, 16), (4000, 16)])
def test_a_preview_measures_tiles_all_over_the_poster(tiles, expected):
    chosen = measured_tiles(tiles, "preview")
    assert len(set(chosen)) == expected
    assert min(chosen) < tiles / 16
    assert max(chosen) >= tiles - 1 - tiles / 16


def test_the_plan_is_told(task):
    plan = planner(task).choose((512,), (True,), whole=None)
    shown = "\n".join(plan_lines(task[1], plan, PROBE, 2))
    for part in ("canvas ", "halo", f"{len(plan.grid)} of 512 px", "passes", "floating-point", "memory", "store"):
        assert part in shown


def test_a_full_disk_is_refused_up_front(task, tmp_path):
    with pytest.raises(ValueError, match=r"of free disk in .* for .*; make room"):
        require_room(str(tmp_path / "not" / "yet" / "there"), 10**18, {})
    with pytest.raises(ValueError, match=r"of free disk in .* for memory://no/telling"):
        require_room("memory://no/telling", 0, {"poster.tif": 10**18})
    require_room("memory://no/telling", 10**18, {"viewer/": 10**18})
    require_room(str(tmp_path), 1000, {"poster.png": 1000})
    assert gigabytes(sum(stored_bytes(task[1], PROBE).values())) == "0.207 GB"


def test_a_probe_says_what_a_worker_can_do(ray_here, task):
    generator, given = task
    painting = Painting(given, generator, SentParts(given, Shared(pack_generator(generator)), {}))
    with closing(WorkerPool(tile_workers(1, threads=1, gpus_per_worker=0))) as pool:
        found = pool.do(probe(painting, 2, gpus_per_worker=0))
    assert set(found.flops_per_s) == {"mixing", "refiner"}
    assert 1e7 < found.flops_per_s["mixing"] < 1e14
    assert 100 < found.peak_bytes < 1e5
    assert set(found.stored_bytes) == {"labels", "collage", "unrefined", "output"}
    assert 0 < found.stored_bytes["output"] < 3.1
    assert found.memory_bytes > 10**7
    assert found.device == "CPU"


@pytest.mark.parametrize(
    ("share", "expected"), [(1.0, 1), (0.7, 1), (0.5, 2), (0.3, 3), (1 / 3, 3), (0.25, 4), (0.1, 10)]
)
def test_workers_share_a_gpu(share, expected):
    assert workers_on_a_gpu(share) == expected
