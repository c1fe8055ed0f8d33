"""What it costs to hand tiles out to workers: tiles per second, overhead, slow workers, and many workers.

    python benchmarks/fan_out.py [MAX_WORKERS]

Measures real pools of Ray actors on this machine, with tasks that are almost free; with real tiles of about a second
that are written to a real store, on disk and on an S3 server; with four workers of which one is eight times slower;
and with up to MAX_WORKERS (default 64) workers that sleep instead of painting. Then it measures the pool's own code
with up to 1,000 workers that are simulated in this process. A model of the driver is fitted to these measurements and
predicts up to 1,000 workers. Writes benchmarks/results/fan_out.md.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import ray
from real_tiles import S3, TILE_PX, Row, each, real_tiles
from report import RESULTS
from scipy.optimize import nnls
from simulated import Clock, SimulatedActor

from cluster.connection import ClusterConfig
from cluster.ray_session import ray_session
from magic.machine import machine
from magic.tables import markdown_table
from pipelines.workers.crew import WorkerKind
from pipelines.workers.pool import QUEUED_PER_WORKER, WorkerPool
from pipelines.workers.stages import Stage, Steps

NUM_ROUNDS, NUM_FREE_TASKS = 3, 2000
SLOWDOWN, NUM_SLOW_TASKS, SLOW_TASK_S = 8, 120, 0.1
NUM_NAPS, NAP_S = 10, 1.0
"""How often each of many workers sleeps, and for how long."""
NUM_RESULTS, RESULT_BYTES = 300, 5_000_000
NUM_SIMULATED_WORKERS = (10, 100, 1000)
NUM_MODELLED_WORKERS, MODELLED_TILES_S = (1, 10, 100, 300, 1000), (1.0, 5.0, 20.0)


class Light:
    """A worker that does almost nothing, or sleeps."""

    def __init__(self, slower: float = 1.0) -> None:
        self.slower = slower

    def ready(self) -> int:
        return os.getpid()

    def nap(self, number: int, seconds: float) -> tuple[int, float]:
        time.sleep(seconds * self.slower)
        return os.getpid(), time.monotonic()

    def large(self, size_bytes: int) -> np.ndarray:
        return np.ones(size_bytes, np.uint8)


@contextmanager
def light_pool(workers: int, slower: float = 1.0) -> Iterator[WorkerPool]:
    """A pool of light workers, all of which have started. The first takes `slower` times as long as the others."""
    actor, speeds = ray.remote(num_cpus=0.01, max_restarts=0)(Light), iter([slower])
    with closing(WorkerPool(WorkerKind(lambda: actor.remote(next(speeds, 1.0)), workers))) as pool:
        while len(pool._main.ready) < workers:
            pool.do(each(nap(0), range(workers)))
            time.sleep(0.5)
        yield pool


def nap(seconds: float) -> Callable[[Any, int], Any]:
    return lambda actor, number: actor.nap.remote(number, seconds)


@dataclass(frozen=True)
class Run:
    """Equal tasks that a pool has done."""

    workers: int
    tiles: int
    nap_s: float
    seconds: float
    driver_s: float
    """CPU seconds of the driver."""

    @property
    def efficiency(self) -> float:
        """The share of the workers' time in which they were at work."""
        return self.tiles * self.nap_s / self.seconds / self.workers

    def row(self) -> Row:
        row = {"workers": self.workers, "tiles": self.tiles, "tiles/s": self.tiles / self.seconds}
        if self.nap_s:
            row |= {"efficiency": self.efficiency, "driver, cores": self.driver_s / self.seconds}
        return row | {"driver, CPU ms/tile": 1e3 * self.driver_s / self.tiles}


def run(pool: WorkerPool, workers: int, tiles: int, nap_s: float, clock: Callable[[], float]) -> Run:
    """Let workers sleep through tasks; clock() gives the driver's CPU seconds."""
    wall, cpu = time.perf_counter(), clock()
    assert len(pool.do(each(nap(nap_s), range(tiles)))) == tiles
    return Run(workers, tiles, nap_s, time.perf_counter() - wall, clock() - cpu)


def light_tiles(workers: int) -> Run:
    """Tasks that are almost free: the run of median duration."""
    with light_pool(workers) as pool:
        runs = [run(pool, workers, NUM_FREE_TASKS, 0, time.process_time) for _ in range(NUM_ROUNDS)]
    return sorted(runs, key=lambda one: one.seconds)[NUM_ROUNDS // 2]


def many_workers(workers: int) -> Run:
    """Workers that sleep instead of painting."""
    with light_pool(workers) as pool:
        return run(pool, workers, workers * NUM_NAPS, NAP_S, time.process_time)


def simulated(workers: int) -> Run:
    """The pool's own code with simulated workers. The CPU time is that of its thread alone."""
    with closing(Clock()) as clock:
        pool = WorkerPool(WorkerKind(lambda: SimulatedActor(clock), workers))
        pool.do(each(nap(0), range(workers)))
        return run(pool, workers, workers * NUM_NAPS, NAP_S, time.thread_time)


def slow_worker() -> Row:
    """Four workers of which one is slower, beside the least time that they would need if tasks could be divided."""
    rounds = []
    for _ in range(NUM_ROUNDS):
        with light_pool(4, SLOWDOWN) as pool:
            start = time.monotonic()
            done = list(pool.do(each(nap(SLOW_TASK_S), range(NUM_SLOW_TASKS))).values())
        by_worker = sorted(sum(pid == one for pid, _ in done) for one in {pid for pid, _ in done})
        rounds.append((max(end for _, end in done) - start, by_worker[0] if len(by_worker) == 4 else 0))
    ideal = NUM_SLOW_TASKS * SLOW_TASK_S / (3 + 1 / SLOWDOWN)
    seconds, count = sorted(rounds)[NUM_ROUNDS // 2]
    return {
        "tasks": NUM_SLOW_TASKS,
        "by the slow one": count,
        "s": seconds,
        "ideal, s": ideal,
        "ratio": seconds / ideal,
    }


def results_held() -> Row:
    """The peak of what the object store holds when workers are faster than the driver, which takes their results."""
    peak, before, taken = 0.0, object_store_bytes(), count()

    def take(number: int, result: np.ndarray) -> None:
        nonlocal peak
        time.sleep(0.02)
        peak = max(peak, object_store_bytes() - before) if next(taken) % 5 == 0 else peak

    def work() -> Steps[None]:
        call = lambda actor, _: actor.large.remote(RESULT_BYTES)  # noqa: E731
        yield Stage(title="large", tasks=range(NUM_RESULTS), call=call, received=take, operations=1.0)

    with light_pool(4) as pool:
        pool.do(work())
    bound = 4 * QUEUED_PER_WORKER * RESULT_BYTES
    return {"workers": 4, "results": NUM_RESULTS, "MB each": RESULT_BYTES / 1e6, "at most held, MB": peak / 1e6,
            "two for each worker, MB": bound / 1e6}  # fmt: skip


def object_store_bytes() -> float:
    return ray.cluster_resources()["object_store_memory"] - ray.available_resources()["object_store_memory"]


class Model:
    """A model of the driver's CPU time: a share of each second, and a + b x workers for each tile."""

    def __init__(self, real: list[Run], pool: list[Run]) -> None:
        workers = [one.workers for one in pool]
        self.by_worker = max(float(np.polyfit(workers, [one.driver_s / one.tiles for one in pool], 1)[0]), 0.0)
        remaining = [one.driver_s - self.by_worker * one.workers * one.tiles for one in real]
        fitted, _ = nnls(np.array([[one.seconds, one.tiles] for one in real]), np.maximum(remaining, 0))
        self.idle, self.by_tile = map(float, fitted)
        gaps = [one.nap_s / one.efficiency - one.nap_s for one in real if one.nap_s]
        self.gap_s = max(statistics.median(gaps), 0.0)

    def row(self, workers: int) -> Row:
        """What so many workers can do, or what one core of the driver lets them do, whichever is less."""
        row: Row = {"workers": workers}
        for tile_s in MODELLED_TILES_S:
            by_tile = self.by_tile + self.by_worker * workers
            speed = min(workers / (tile_s + self.gap_s), (1 - self.idle) / by_tile)
            row |= {
                f"{tile_s:g} s: tiles/s": speed,
                f"{tile_s:g} s: efficiency": speed * tile_s / workers,
                f"{tile_s:g} s: driver, cores": self.idle + speed * by_tile,
            }
        return row

    def __str__(self) -> str:
        return (
            f"driver, CPU: {100 * self.idle:.2g}% of a core, and {1e3 * self.by_tile:.2g} ms + "
            f"{1e6 * self.by_worker:.2g} µs x workers for each tile; a worker waits {1e3 * self.gap_s:.2g} ms between "
            "tiles (from the run with sleeping workers, on a machine that all of them share)"
        )


def formatted(value: float | str) -> str:
    """A cell of a table."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.3g}"


def section(title: str, explanation: str, rows: list[Row]) -> str:
    """A section of the report; it is printed at once."""
    table = markdown_table(list(rows[0]), [[formatted(value) for value in row.values()] for row in rows])
    text = f"## {title}\n\n{explanation}\n\n{table}\n"
    print(text, flush=True)
    return text


def storage(real: list[Row]) -> str:
    """A sentence on how much many workers would write."""
    by_px = max(float(row["MB/tile"]) for row in real) * 1e6 / TILE_PX**2
    large_px, workers, tile_s = 2048, max(NUM_MODELLED_WORKERS), max(MODELLED_TILES_S)
    return (
        f"Storage: the mixing network's layers take {by_px:.3g} bytes for each pixel of noise here, "
        f"{by_px * large_px**2 / 1e6:.0f} MB for a tile of {large_px} px: {workers:,} workers with tiles of {tile_s:g} "
        f"s would write {by_px * large_px**2 * workers / tile_s / 1e9:.2g} GB/s."
    )


def main(max_workers: int) -> None:
    os.environ.update(S3)
    load = os.getloadavg()[0]
    with ray_session(ClusterConfig()):
        light = [light_tiles(workers) for workers in (1, 2, 4, 8)]
        sections = [section("Almost free tiles", EXPLANATIONS["light"], [one.row() for one in light])]
        real = real_tiles()
        sections += [section("Real tiles of about a second", EXPLANATIONS["real"], real)]
        sections += [section("One worker of four is slower", EXPLANATIONS["slow"], [slow_worker()])]
        sections += [section("Results that are not taken yet", EXPLANATIONS["held"], [results_held()])]
        many = [many_workers(workers) for workers in (1, 4, 16, 64, 128) if workers <= max_workers]
        sections += [section("Many workers that sleep", EXPLANATIONS["many"], [one.row() for one in many])]
    pool = [simulated(workers) for workers in NUM_SIMULATED_WORKERS]
    sections += [section("Workers that are simulated", EXPLANATIONS["pool"], [one.row() for one in pool])]
    model = Model([*light, *many], pool)
    sections += [
        section(
            "Modelled",
            f"{EXPLANATIONS['model']}\n\nFitted: {model}.\n\n{storage(real)}",
            [model.row(n) for n in NUM_MODELLED_WORKERS],
        )
    ]
    (RESULTS / "fan_out.md").write_text(
        f"# The fan-out of tiles\n\n`python benchmarks/fan_out.py {max_workers}` on {machine('ray', 'zarr')}; load of "
        f"the machine at the start: {load:.1f}.\n\n" + "\n".join(sections)
    )


EXPLANATIONS = {
    "light": f"{NUM_FREE_TASKS} tasks that return at once; the median of {NUM_ROUNDS} runs.",
    "real": f"Tiles of {TILE_PX} px of noise. The refiner also reads its tiles from the store with a halo, and its "
    "outputs compress well. `not painting` is the share of each worker's time, from the start of its first tile to the "
    "end of its last one, in which it waits for Ray, the driver or the store; it writes a tile while it paints the "
    "next. The S3 server, moto, runs on the same two cores. MB/tile is what is written.",
    "slow": f"It takes {SLOWDOWN} times as long. Ideal is the time that they would need if tasks could be divided; the "
    f"median of {NUM_ROUNDS} runs.",
    "held": "Four workers, much faster than the driver that takes their results; the object store is looked at now and "
    "then.",
    "many": f"{NUM_NAPS} tiles of {NAP_S:g} s for each worker; real processes, all on this machine.",
    "pool": "The pool's own code with simulated workers. The CPU time is that of its thread, without Ray's part. Tiles "
    "take up to 30% more or less at random, so that they end one by one; in the last round, workers run out of tiles, "
    "which costs efficiency.",
    "model": "Not measured, but predicted by the model below. It covers the driver, which is one thread. It does not "
    "cover the head node's GCS (which starts the workers, but does not see their tasks), the network, the bandwidth of "
    "the storage, or the last round of each statistics pass, a run over all tiles that measures one norm layer: T "
    "tiles on W workers take ceil(T / W) rounds, so 1,000 workers pay off for posters of 10,000 tiles and more.",
}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
