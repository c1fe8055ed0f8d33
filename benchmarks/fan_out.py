"""What the fan-out of tiles costs: tiles per second, overhead at 1 s tiles, slow workers, and many workers.

    python benchmarks/fan_out.py [MOST_WORKERS]

Real pools of Ray actors on this machine: an almost free task; real tiles of about a second into a real store, on disk
and on an S3 server beside it; four workers of which one is eight times slower; up to MOST_WORKERS (default 64) that
sleep instead of painting. Then the pool's own code with 1,000 workers that are simulated in this process. A model of
the driver is fitted to the last two and told for up to 1,000 workers. Writes benchmarks/results/fan_out.md.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from real_tiles import S3, TILE_PX, Row, real_tiles
from scipy.optimize import nnls
from simulated import Clock, SimulatedActor

from cluster.connection import ClusterConfig
from cluster.ray_session import ray_session
from magic.machine import machine
from pipelines.workers.pool import QUEUED_PER_WORKER, WorkerPool

RESULTS = Path(__file__).parent / "results"
ROUNDS, LIGHT_TASKS = 3, 2000
SLOWER, SLOW_TASKS, SLOW_S = 8, 120, 0.1
NAPS, NAP_S = 10, 1.0
RESULTS_TAKEN, RESULT_BYTES = 300, 5_000_000
SIMULATED = (10, 100, 1000)
MODELLED, TILES_S = (1, 10, 100, 300, 1000), (1.0, 5.0, 20.0)


class Light:
    """A worker that does next to nothing, or sleeps."""

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
    """A pool of light workers, all of which have started; the first of them may be slower."""
    actor, speeds = ray.remote(num_cpus=0.01, max_restarts=0)(Light), iter([slower])
    with closing(WorkerPool(lambda: actor.remote(next(speeds, 1.0)), workers)) as pool:
        while len(pool._ready) < workers:
            list(pool.map(nap(0), range(workers)))
            time.sleep(0.5)
        yield pool


def nap(seconds: float) -> Callable[[Any, int], Any]:
    return lambda actor, number: actor.nap.remote(number, seconds)


@dataclass(frozen=True)
class Run:
    """Equal tasks that went through a pool."""

    workers: int
    tiles: int
    nap_s: float
    seconds: float
    driver_s: float
    """CPU time of the driver."""

    @property
    def efficiency(self) -> float:
        """Part of the workers' time that they were at work."""
        return self.tiles * self.nap_s / self.seconds / self.workers

    def row(self) -> Row:
        row = {"workers": self.workers, "tiles": self.tiles, "tiles/s": self.tiles / self.seconds}
        if self.nap_s:
            row |= {"efficiency": self.efficiency, "driver, cores": self.driver_s / self.seconds}
        return row | {"driver, CPU ms/tile": 1e3 * self.driver_s / self.tiles}


def run(pool: WorkerPool, workers: int, tiles: int, nap_s: float, clock: Callable[[], float]) -> Run:
    """Map naps, with a clock of CPU time."""
    wall, cpu = time.perf_counter(), clock()
    assert len(list(pool.map(nap(nap_s), range(tiles)))) == tiles
    return Run(workers, tiles, nap_s, time.perf_counter() - wall, clock() - cpu)


def light_tiles(workers: int) -> Run:
    """Tasks that are almost free: the median of some runs."""
    with light_pool(workers) as pool:
        runs = [run(pool, workers, LIGHT_TASKS, 0, time.process_time) for _ in range(ROUNDS)]
    return sorted(runs, key=lambda one: one.seconds)[ROUNDS // 2]


def many_workers(workers: int) -> Run:
    """Workers that sleep for each tile."""
    with light_pool(workers) as pool:
        return run(pool, workers, workers * NAPS, NAP_S, time.process_time)


def simulated(workers: int) -> Run:
    """The pool's own code with workers that are no processes: CPU time of its thread alone."""
    with closing(Clock()) as clock:
        pool = WorkerPool(lambda: SimulatedActor(clock), workers)
        list(pool.map(nap(0), range(workers)))
        return run(pool, workers, workers * NAPS, NAP_S, time.thread_time)


def slow_worker() -> Row:
    """Four workers of which one is slower, against what they could do if tasks could be divided at will."""
    rounds = []
    for _ in range(ROUNDS):
        with light_pool(4, SLOWER) as pool:
            start = time.monotonic()
            done = [result for _, result in pool.map(nap(SLOW_S), range(SLOW_TASKS))]
        by_worker = sorted(sum(pid == one for pid, _ in done) for one in {pid for pid, _ in done})
        rounds.append((max(end for _, end in done) - start, by_worker[0] if len(by_worker) == 4 else 0))
    ideal = SLOW_TASKS * SLOW_S / (3 + 1 / SLOWER)
    seconds, count = sorted(rounds)[ROUNDS // 2]
    return {"tasks": SLOW_TASKS, "by the slow one": count, "s": seconds, "ideal, s": ideal, "ratio": seconds / ideal}


def results_held() -> Row:
    """The most that the object store holds of large results when workers are faster than who takes the results."""
    peak, before = 0.0, object_store_bytes()
    with light_pool(4) as pool:
        for number, _ in enumerate(pool.map(lambda actor, _: actor.large.remote(RESULT_BYTES), range(RESULTS_TAKEN))):
            time.sleep(0.02)
            peak = max(peak, object_store_bytes() - before) if number % 5 == 0 else peak
    bound = 4 * QUEUED_PER_WORKER * RESULT_BYTES
    return {"workers": 4, "results": RESULTS_TAKEN, "MB each": RESULT_BYTES / 1e6, "at most held, MB": peak / 1e6,
            "two for each worker, MB": bound / 1e6}  # fmt: skip


def object_store_bytes() -> float:
    return ray.cluster_resources()["object_store_memory"] - ray.available_resources()["object_store_memory"]


class Model:
    """The driver's CPU time, fitted: some for each second, and a + b x workers for each tile."""

    def __init__(self, real: list[Run], pool: list[Run]) -> None:
        workers = [one.workers for one in pool]
        self.by_worker = max(float(np.polyfit(workers, [one.driver_s / one.tiles for one in pool], 1)[0]), 0.0)
        known = [one.driver_s - self.by_worker * one.workers * one.tiles for one in real]
        fitted, _ = nnls(np.array([[one.seconds, one.tiles] for one in real]), np.maximum(known, 0))
        self.idle, self.by_tile = map(float, fitted)
        gaps = [one.nap_s / one.efficiency - one.nap_s for one in real if one.nap_s]
        self.gap_s = max(statistics.median(gaps), 0.0)

    def row(self, workers: int) -> Row:
        """What so many workers do, or what one core of the driver lets them do."""
        row: Row = {"workers": workers}
        for tile_s in TILES_S:
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


def table(rows: list[Row]) -> str:
    """In Markdown."""
    lines = [f"| {' | '.join(rows[0])} |", "| --- " * len(rows[0]) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(shown, row.values()))} |" for row in rows)])


def shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.3g}"


def section(title: str, told: str, rows: list[Row]) -> str:
    """Of the report; printed at once."""
    text = f"## {title}\n\n{told}\n\n{table(rows)}\n"
    print(text, flush=True)
    return text


def storage(real: list[Row]) -> str:
    """What many workers would write."""
    by_px = max(float(row["MB/tile"]) for row in real) * 1e6 / TILE_PX**2
    large, workers, tile_s = 2048, max(MODELLED), max(TILES_S)
    return (
        f"Storage: the mixing network's layers take {by_px:.3g} bytes for each pixel of noise here, "
        f"{by_px * large**2 / 1e6:.0f} MB for a tile of {large} px: {workers:,} workers with tiles of {tile_s:g} s "
        f"would write {by_px * large**2 * workers / tile_s / 1e9:.2g} GB/s."
    )


def main(most: int) -> None:
    os.environ.update(S3)
    load = os.getloadavg()[0]
    with ray_session(ClusterConfig()):
        light = [light_tiles(workers) for workers in (1, 2, 4, 8)]
        sections = [section("Almost free tiles", TOLD["light"], [one.row() for one in light])]
        real = real_tiles()
        sections += [section("Real tiles of about a second", TOLD["real"], real)]
        sections += [section("One worker of four is slower", TOLD["slow"], [slow_worker()])]
        sections += [section("Results that are not taken yet", TOLD["held"], [results_held()])]
        many = [many_workers(workers) for workers in (1, 4, 16, 64, 128) if workers <= most]
        sections += [section("Many workers that sleep", TOLD["many"], [one.row() for one in many])]
    pool = [simulated(workers) for workers in SIMULATED]
    sections += [section("Workers that are simulated", TOLD["pool"], [one.row() for one in pool])]
    model = Model([*light, *many], pool)
    sections += [
        section("Modelled", f"{TOLD['model']}\n\nFitted: {model}.\n\n{storage(real)}", [model.row(n) for n in MODELLED])
    ]
    text = "\n".join(sections)
    (RESULTS / "fan_out.md").write_text(
        f"# The fan-out of tiles\n\n`python benchmarks/fan_out.py {most}` on {machine('ray', 'zarr')}; load of the "
        f"machine when it began: {load:.1f}.\n\n{text}"
    )


TOLD = {
    "light": f"{LIGHT_TASKS} tasks that return at once; the median of {ROUNDS} runs.",
    "real": f"Tiles of {TILE_PX} px of noise; the refiner's are read from the store with a halo, too, and come out so "
    "that they compress well. Of each worker's time from its first tile's begin to its last one's end: when it does "
    "not paint, but waits for Ray, the driver or the store (it writes a tile while it paints the next). The S3 server, "
    "moto, runs on the same two cores. MB is what is written.",
    "slow": f"{SLOWER} times. Ideal is what they could do if tasks could be divided at will; the median of {ROUNDS}.",
    "held": "Four workers, much faster than who takes their results; sampled.",
    "many": f"{NAPS} tiles of {NAP_S:g} s for each, real processes, all on this machine.",
    "pool": "The pool's own code, with workers that are no processes; CPU time of its thread, without Ray's part. "
    "Tiles take up to 30% more or less at random, so the driver hears of them one by one, and the last round costs "
    "efficiency.",
    "model": "Not measured: from the model below. It covers the driver, and that it is one thread. It does not cover "
    "the head node's GCS (which sees the start of the workers, not their tasks), the network, the last round of each "
    "sweep (T tiles on W workers take ceil(T / W) rounds: 1,000 workers want posters of 10,000 tiles and more), or "
    "the bandwidth of the storage.",
}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
