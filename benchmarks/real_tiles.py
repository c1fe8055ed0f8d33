"""Real tiles of about a second, written to a real store by a real pool: in how much of its time a worker paints."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from statistics import mean
from threading import Lock, local
from typing import Any, NamedTuple

import fsspec
import numpy as np
import ray
import torch
from report import kill

from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Generator, build_generator
from magic.networks.norm import Moments
from magic.networks.packed import pack_generator
from magic.scene.content import Content
from magic.scene.memory import MemorySet, PictureList, draw_templates
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from pipelines.painting.local_poster import SentPoster
from pipelines.painting.painting import Painting, SentParts
from pipelines.painting.poster_task import PosterTask, Tiling
from pipelines.painting.tile_worker import TileWorker
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_store import PosterStore
from pipelines.workers.crew import WorkerKind
from pipelines.workers.functions import Shared
from pipelines.workers.pool import WorkerPool
from pipelines.workers.stages import Stage, Steps

MODELS = {
    "mixing": (GeneratorConfig(channels=16, depth=4, heads=1), 8),
    "refiner": (GeneratorConfig(channels=64, depth=4, heads=1), 1),
}
"""For each network a generator and K with which one tile takes it about a second."""
TILE_PX, POSTER_PX = 256, 1400
S3 = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9345",
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "test-secret-of-no-use",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
Row = dict[str, int | float | str]


class Held(NamedTuple):
    """When a thread had a lock: times of the monotonic clock."""

    asked: float
    acquired: float
    released: float


class TimedLock:
    """A lock that remembers when each thread had it last."""

    def __init__(self) -> None:
        self._lock, self._thread = Lock(), local()

    def __enter__(self) -> None:
        self._thread.asked = time.monotonic()
        self._lock.acquire()
        self._thread.acquired = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._thread.last = Held(self._thread.asked, self._thread.acquired, time.monotonic())
        self._lock.release()

    def last(self) -> Held:
        """When this thread had it last."""
        return self._thread.last


class TileTimes(NamedTuple):
    """When a worker painted a tile: times of the monotonic clock."""

    pid: int
    start: float
    end: float
    store_s: float
    """Seconds of its task before and after the painting."""


class TimedWorker(TileWorker):
    """A worker that reports of each tile when it painted it."""

    def __init__(self) -> None:
        super().__init__()
        self._computing = TimedLock()

    def timed(self, sent: SentPoster, net: str, number: int, statistics: list[Moments], layers: list[str]) -> TileTimes:
        """Render a tile."""
        start = time.monotonic()
        self.render(sent, net, number, statistics, {name: {number} for name in layers})
        held = self._computing.last()
        store_s = held.asked - start + time.monotonic() - held.released
        return TileTimes(os.getpid(), held.acquired, held.released, store_s)


def real_task(url: str, net: str) -> tuple[PosterTask, Generator]:
    """A poster each of whose tiles takes a network about a second."""
    torch.manual_seed(0)
    config, k = MODELS[net]
    rng, generator = np.random.default_rng(0), build_generator(config)
    picture = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    canvas = plan_canvas(generator, POSTER_PX, POSTER_PX)
    memory = MemorySet.of(PictureList([picture]), draw_templates(PictureList([picture]), k, 0))
    scene = Scene(Content(picture, POSTER_PX, POSTER_PX), memory, canvas)
    grid = plan_grid(generator, canvas, TILE_PX)
    num_statistics = {net: generator.num_statistics(net) for net in generator.nets}
    task = PosterTask(num_statistics, scene, Tiling(grid), PosterStore(url, grid, canvas), threads=1)
    task.store.create(task.layers)
    return task, generator


def statistics_of_first_tile(task: PosterTask, generator: Generator, net: str) -> list[Moments]:
    """A network's statistics, taken from the first tile alone: for timings their values do not matter."""
    renderer, tile, statistics = TileRenderer(generator, task.scene, torch.device("cpu")), task.grid[0], []
    collage = np.zeros((3, tile.read.height, tile.read.width), np.float32) if net == "refiner" else None
    suspended = renderer.start(net, tile.read, collage)
    for _ in range(task.num_statistics[net]):
        statistics.append(renderer.measure(suspended, tile, statistics))
    return statistics


def overhead(url: str, workers: int, where: str, net: str) -> Row:
    """In what share of their time workers do not paint. `where` names the store in the table."""
    task, generator = real_task(f"{url}/{where}-{workers}-{net}", net)
    statistics = ray.put(statistics_of_first_tile(task, generator, net))
    sent = Painting(task, generator, SentParts(task, Shared(pack_generator(generator)), {})).sent
    if net == "refiner":
        for tile in task.grid:
            noise = np.random.default_rng(tile.core.top).standard_normal((3, tile.core.height, tile.core.width))
            task.store.write(UNREFINED, tile.core, noise.astype(np.float32))
    actor = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=2)(TimedWorker)
    with closing(WorkerPool(WorkerKind(actor.remote, workers))) as pool:
        call = lambda worker, number: worker.timed.remote(sent, net, number, statistics, task.layers)  # noqa: E731
        done = list(pool.do(each(call, range(len(task.grid)))).values())
    written = sum(
        fs_size(f"{task.store.url}/tiles.zarr/{name}/0") for name in (task.layers if net == "mixing" else ("output",))
    )
    return {"store": where, "workers": workers, "network": net, **shares(done), "MB/tile": written / 1e6 / len(done)}


def each(call: Callable[[Any, int], Any], tasks: Sequence[int]) -> Steps[dict[int, Any]]:
    """A work of one stage: its results."""
    results: dict[int, Any] = {}
    yield Stage(title="tiles", tasks=tasks, call=call, received=results.__setitem__, operations=1.0)
    return results


def fs_size(url: str) -> int:
    """Bytes of all files below a URL."""
    fs, path = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return fs.du(path)


def shares(done: list[TileTimes]) -> Row:
    """How the workers spent their time, each from the start of its first tile to the end of its last one."""
    by_worker = [[tile for tile in done if tile.pid == pid] for pid in {tile.pid for tile in done}]
    spans = sum(max(tile.end for tile in own) - min(tile.start for tile in own) for own in by_worker)
    painting = sum(tile.end - tile.start for tile in done)
    return {
        "tiles": len(done),
        "painting, s/tile": painting / len(done),
        "store, s/tile": mean(tile.store_s for tile in done),
        "not painting, %": 100 * (spans - painting) / spans,
    }


@contextmanager
def s3_bucket() -> Iterator[str]:
    """The URL of a bucket on moto's S3 server, which runs in a process of its own."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", S3["AWS_ENDPOINT_URL"].rsplit(":")[-1]]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        fs = fsspec.filesystem("s3")
        for attempt in range(50):
            try:
                fs.mkdir("fan-out")
                break
            except OSError:
                assert attempt < 49, "the S3 server does not start"
                time.sleep(0.5)
        yield "s3://fan-out"
    finally:
        kill(server)


def real_tiles() -> list[Row]:
    """Rows for one and two workers with a store on disk, and for one with a store on S3, whose server takes a core."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [overhead(folder, workers, "disk", net) for workers in (1, 2) for net in MODELS]
    with s3_bucket() as url:
        return rows + [overhead(url, 1, "S3", net) for net in MODELS]
