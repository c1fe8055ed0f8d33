"""Real tiles of about a second through a real pool into a real store: for how much of its time a worker paints."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Lock, local
from typing import NamedTuple

import fsspec
import numpy as np
import ray
import torch
from processes import kill

from magic.hyperparameters import GeneratorConfig
from magic.networks.baselines import build_generator
from magic.networks.generator import Generator
from magic.networks.norm import Moments
from magic.networks.packed import pack_generator
from magic.scene.content import Content
from magic.scene.memory import MemorySet, PictureList, draw_templates
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas, plan_grid
from pipelines.painting.painter import PosterTask, TileWorker
from pipelines.store.poster_store import UNREFINED, PosterStore
from pipelines.workers.pool import WorkerPool

MODELS = {
    "mixing": (GeneratorConfig(channels=16, depth=4, heads=1), 8),
    "refiner": (GeneratorConfig(channels=64, depth=4, heads=1), 1),
}
"""For each network a generator, and K, that keep it busy for about a second with a tile."""
TILE_PX, POSTER_PX = 256, 1400
S3 = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9345",
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "test-secret-of-no-use",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
Row = dict[str, int | float | str]


class TimedLock:
    """A lock that remembers when each thread held it last."""

    def __init__(self) -> None:
        self._lock, self._own = Lock(), local()

    def __enter__(self) -> None:
        self._own.asked = time.monotonic()
        self._lock.acquire()
        self._own.begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._own.ended = time.monotonic()
        self._lock.release()

    def last(self) -> tuple[float, float, float]:
        """When this thread asked for it, had it, and gave it back."""
        return self._own.asked, self._own.begun, self._own.ended


class Painted(NamedTuple):
    """A real tile."""

    pid: int
    begun: float
    ended: float
    store_s: float
    """In its task, before and after the painting."""


class TimedWorker(TileWorker):
    """Says of each tile when it was painted."""

    def __init__(self, task: PosterTask) -> None:
        super().__init__(task)
        self._painting = TimedLock()

    def timed(self, net: str, number: int, given: list[Moments]) -> Painted:
        start = time.monotonic()
        self.render(net, number, given)
        asked, begun, ended = self._painting.last()
        return Painted(os.getpid(), begun, ended, asked - start + time.monotonic() - ended)


def real_task(url: str, net: str) -> tuple[PosterTask, Generator]:
    """A poster whose tiles take a network about a second."""
    torch.manual_seed(0)
    config, k = MODELS[net]
    rng, generator = np.random.default_rng(0), build_generator(config)
    picture = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    canvas = plan_canvas(generator, POSTER_PX, POSTER_PX)
    memory = MemorySet.of(PictureList([picture]), draw_templates(PictureList([picture]), k, 0))
    scene = Scene(Content(picture, POSTER_PX, POSTER_PX), memory, canvas)
    grid = plan_grid(generator, canvas, TILE_PX)
    sweeps = {net: generator.num_statistics(net) for net in generator.nets}
    task = PosterTask(pack_generator(generator), sweeps, scene, grid, PosterStore(url, grid, canvas), threads=1)
    task.store.create(task.layers)
    return task, generator


def given_statistics(task: PosterTask, generator: Generator, net: str) -> list[Moments]:
    """Of the first tile alone, which is good enough for timings."""
    renderer, tile, given = TileRenderer(generator, task.scene, torch.device("cpu")), task.grid[0], []
    collage = np.zeros((3, tile.read.height, tile.read.width), np.float32) if net == "refiner" else None
    begun = renderer.start(net, tile.read, collage)
    for _ in range(task.sweeps[net]):
        given.append(renderer.measure(begun, tile, given))
    return given


def overhead(url: str, workers: int, where: str, net: str) -> Row:
    """What part of the workers' time they do not paint."""
    task, generator = real_task(f"{url}/{where}-{workers}-{net}", net)
    given, shared = ray.put(given_statistics(task, generator, net)), ray.put(task)
    if net == "refiner":
        for tile in task.grid:
            noise = np.random.default_rng(tile.core.top).standard_normal((3, tile.core.height, tile.core.width))
            task.store.write(UNREFINED, tile.core, noise.astype(np.float32))
    actor = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=2)(TimedWorker)
    with closing(WorkerPool(lambda: actor.remote(shared), workers)) as pool:
        call = lambda worker, number: worker.timed.remote(net, number, given)  # noqa: E731
        done = [result for _, result in pool.map(call, range(len(task.grid)))]
    written = sum(
        fs_size(f"{task.store.url}/tiles.zarr/{name}/0") for name in (task.layers if net == "mixing" else ("output",))
    )
    return {"store": where, "workers": workers, "network": net, **shares(done), "MB/tile": written / 1e6 / len(done)}


def fs_size(url: str) -> int:
    fs, path = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return fs.du(path)


def shares(done: list[Painted]) -> Row:
    """Of each worker's time from its first tile's begin to its last one's end."""
    by_worker = [[tile for tile in done if tile.pid == pid] for pid in {tile.pid for tile in done}]
    spans = sum(max(tile.ended for tile in own) - min(tile.begun for tile in own) for own in by_worker)
    painting = sum(tile.ended - tile.begun for tile in done)
    return {
        "tiles": len(done),
        "painting, s/tile": painting / len(done),
        "store, s/tile": statistics.mean(tile.store_s for tile in done),
        "not painting, %": 100 * (spans - painting) / spans,
    }


@contextmanager
def s3_bucket() -> Iterator[str]:
    """A bucket of moto's server in a process of its own."""
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
    """On disk with a worker for one core or both; on S3 with one, since the server wants a core, too."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [overhead(folder, workers, "disk", net) for workers in (1, 2) for net in MODELS]
    with s3_bucket() as url:
        return rows + [overhead(url, 1, "S3", net) for net in MODELS]
