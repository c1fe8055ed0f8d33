"""Many posters by `magic batch`: against one command for each, under kills, and how busy its workers are.

    python -m benchmarks.batch [many] [kills] [mixed] [rows] [single]

many: 200 rows of three models, two of them broken and one huge, and a sample of them as single `magic poster` commands.
kills: a batch that is killed at five random moments, driver or worker, against an undisturbed one and single posters.
mixed: how busy workers are with 50 posters of mixed size. rows: the driver's memory over 1,000 rows of almost free
posters. single: `magic poster` now and before the engine. Without a name, all of them. Each part writes its section of
benchmarks/results/batch.md. Do not change the code while this runs: the manifests of posters hold its version.
"""

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import ray

from benchmarks.batch_rows import (
    NUM_MODELS,
    NUM_WORKERS,
    batch_command,
    contents,
    make_models,
    make_table,
    num_done,
    num_tasks,
    single_seconds,
    steps_of_one,
)
from benchmarks.report import RESULTS, family, kill
from cluster.connection import ClusterConfig
from cluster.ray_session import ray_session
from jobs.batches.batch_job import BatchJob
from jobs.batches.row_painting import RowPainter
from jobs.batches.row_records import Book
from jobs.batches.rows import Row, read_rows
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.batch_config import BatchConfig
from jobs.settings.demo_pictures import PROJECT
from magic.machine import machine
from magic.tables import markdown_table
from pipelines.workers.functions import Shared, apply_to_each

SMALL_PX, HUGE_PX, TILE_PX = 400, 3000, 512
NUM_SINGLE = 10
"""Rows that are painted as single commands, too."""
MIXED_PX = (200, 300, 400, 600, 900)
NUM_KILLS, KILLED_ROWS = 5, 12
NUM_ALMOST_FREE = 1000
BEFORE = "c3aea31"
"""The last commit whose `magic poster` had pools and tasks of its own, beside the painting."""
NUM_PAIRS = 5


def die(shared: object, number: int) -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


class Painter(RowPainter):
    """A painter one of whose rows begins with a task that kills its worker."""

    deadly = ""

    def paint(self, rows: Sequence[Row]) -> Any:
        if rows[0].name == self.deadly:
            yield from apply_to_each(Shared(0), die, [0], "die")
        return (yield from super().paint(rows))


class Measured:
    """A batch that was painted in this process: when each row was finished, and what its workers did."""

    def __init__(self, config: BatchConfig, deadly: str = "") -> None:
        started = time.time()
        rows = read_rows(config)
        with ray_session(ClusterConfig()):
            workers = RenderWorkers.choose(config.workers, threads=1, gpu_share=1)
            painter = Painter(Book(config.out), Shelf(config.cluster), workers)
            Painter.deadly = deadly
            job = BatchJob(config, rows, painter)
            todo = job.check()
            with workers.pool() as pool:
                job.begin()
                self.began = time.time()
                job.paint(todo, pool)
                self.loads = sum(ray.get([worker.actor.num_loads.remote() for worker in pool._main.ready]))
                self.utilisation, self.num_started = pool.utilisation, pool._main.num_started
        self.seconds = time.time() - started
        self.records = job.book.records
        folder = Path(config.out) / "rows"
        self.ends = {row.name: (folder / f"{row.name}.json").stat().st_mtime - self.began for row in rows}

    def mean_end(self, names: list[str]) -> float:
        """Mean time from the beginning of the painting to the end of a row."""
        return statistics.mean(self.ends[name] for name in names)


def many() -> str:
    """200 rows of three models, two broken and one huge; and some of them as single commands."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = make_models(folder)
        rows: list[dict[str, Any]] = [
            {"model": models[number % NUM_MODELS], "width": SMALL_PX, "seed": number} for number in range(200)
        ]
        rows[0] |= {"width": HUGE_PX, "tile": TILE_PX, "keep": "true"}
        rows[50] |= {"content": folder / "no-such-picture.jpg"}
        config = make_table(folder, rows)
        found = Measured(config, deadly="row-0100")
        huge, broken = "row-0000", {"row-0050", "row-0100"}
        small = [name for name in found.records if name != huge and name not in broken]
        assert {name for name, record in found.records.items() if record.status != "done"} == broken
        singles = [single_seconds(config, name, folder) for name in small[:: len(small) // NUM_SINGLE][:NUM_SINGLE]]
        done = [found.records[name].status for name in found.records].count("done")
        seconds, total = found.seconds / (len(small) + 1), statistics.mean(singles) * len(small)
        table = markdown_table(
            ["", "one batch", "single commands"],
            [
                ["rows done, failed, refused", f"{done}, {count(found, 'failed')}, {count(found, 'refused')}", ""],
                [
                    "time of all, s",
                    f"{found.seconds:.0f}",
                    f"{total:.0f} (extrapolated)",
                ],
                ["a small poster, s", f"{seconds:.2f}", f"{statistics.median(singles):.1f} (median of {len(singles)})"],
                ["single / batch", f"{statistics.median(singles) / seconds:.1f}", ""],
                ["mean end of the small ones, s", f"{found.mean_end(small):.0f}", ""],
                ["end of the huge one, s", f"{found.ends[huge]:.0f}", ""],
                ["mean of the small / the huge one", f"{found.mean_end(small) / found.ends[huge]:.2f}", ""],
                ["models loaded (workers that live at the end)", str(found.loads), ""],
                ["workers started (three were killed)", str(found.num_started), str(len(singles) * NUM_WORKERS)],
                ["workers busy", f"{found.utilisation:.0%}", ""],
            ],
        )
        reasons = "\n".join(f"- `{name}`: {found.records[name].reason}" for name in sorted(broken))
    return (
        f"## 200 posters of {NUM_MODELS} models\n\n{command('many')}. One of {HUGE_PX} px in tiles, the others of "
        f"{SMALL_PX} px. The time of a small poster in the batch is that of all over the number of posters, the huge "
        "one included. One row has no picture, and one begins with a task that kills its worker:\n\n"
        f"{reasons.replace(scratch, '...')}\n\n{table}\n"
    )


def command(section: str) -> str:
    """How a section is made anew, and on which machine it was."""
    return f"`python -m benchmarks.batch {section}` on {machine('ray', 'torch')}"


def count(found: Measured, status: str) -> int:
    """How many rows have a status."""
    return sum(record.status == status for record in found.records.values())


def kills() -> str:
    """A batch that is killed again and again."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = make_models(folder)
        shared = {"width": 300, "tile": 96, "keep": "true"}
        rows = [{**shared, "model": models[n % NUM_MODELS], "seed": n} for n in range(KILLED_ROWS)]
        config = make_table(folder, rows)
        started = time.monotonic()
        subprocess.run(batch_command(config), check=True, capture_output=True)
        seconds = time.monotonic() - started
        expected = contents(Path(config.out) / "posters")
        tasks = num_tasks(config)
        disturbed = BatchConfig(table=config.table, out=str(folder / "disturbed"), workers=NUM_WORKERS)
        moments, done = [], []
        for number in range(NUM_KILLS):
            kind = "driver" if number % 2 else "worker"
            moments.append(kind)
            kill_once(disturbed, kind, rng.uniform(0.4, 0.8) * seconds)
            done.append(num_done(disturbed))
        subprocess.run(batch_command(disturbed), check=True, capture_output=True)
        assert contents(Path(disturbed.out) / "posters") == expected
        single_seconds(config, "row-0000", folder)
        more = num_tasks(disturbed) - tasks
        table = markdown_table(
            ["kill", "what was killed", "rows done before it was started again"],
            [[str(n), kind, str(count)] for n, (kind, count) in enumerate(zip(moments, done, strict=True), 1)],
        )
    return (
        f"## Killed {NUM_KILLS} times\n\n{command('kills')}: {KILLED_ROWS} posters of 300 px in tiles of 96. After the "
        f"last run, all {len(expected)} files have the bytes of those of an undisturbed batch, and one of the posters "
        "those of a single command. Tasks of the last attempts of all rows: "
        f"{tasks} undisturbed, {more:+} under kills (what was finished before is not done again).\n\n{table}\n"
    )


def kill_once(config: BatchConfig, kind: str, seconds: float) -> None:
    """Begin a batch and kill its driver, or one of its workers, after a while."""
    process = subprocess.Popen(batch_command(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
        return
    except subprocess.TimeoutExpired:
        pass
    if kind == "driver":
        kill(process)
        return
    workers = [one for one in family(process) if "TileWorker" in "".join(one.cmdline()[:1])]
    random.choice(workers or family(process)[1:]).kill()
    process.wait()


def mixed() -> str:
    """How busy workers are."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = make_models(folder)
        rows = [{"model": models[n % NUM_MODELS], "width": MIXED_PX[n % len(MIXED_PX)], "seed": n} for n in range(50)]
        found = Measured(make_table(folder, rows))
        assert count(found, "done") == len(rows)
        one = make_table(folder, [{"model": models[0], "width": SMALL_PX}])
        alone = Measured(BatchConfig(table=one.table, out=str(folder / "alone"), workers=NUM_WORKERS))
    return (
        f"## How busy workers are\n\n{command('mixed')}: 50 posters of {', '.join(map(str, MIXED_PX))} px. Workers had "
        f"a task in {found.utilisation:.1%} of the time from their start to the end of the batch; with a single poster "
        f"of {SMALL_PX} px in {alone.utilisation:.1%}.\n"
    )


def rows() -> str:
    """The driver's memory over many rows of almost free posters."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = make_models(folder)
        config = make_table(folder, [{"model": models[0], "width": 8, "templates": 1} for n in range(NUM_ALMOST_FREE)])
        process = subprocess.Popen(batch_command(config), stdout=subprocess.DEVNULL)
        seen: dict[int, float] = {}
        while process.poll() is None:
            if (Path(config.out) / "rows").exists():
                seen.setdefault(num_done(config) // 100 * 100, psutil.Process(process.pid).memory_info().rss / 1e6)
            time.sleep(5)
        assert process.returncode == 0
        table = markdown_table(["rows done", "driver, MB"], [[str(n), f"{mb:.0f}"] for n, mb in sorted(seen.items())])
    return f"## Memory of the driver\n\n{command('rows')}: {NUM_ALMOST_FREE} rows of 8 px.\n\n{table}\n"


def single() -> str:
    """`magic poster` of this commit against that of the last one before the engine, in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(["git", "worktree", "add", "--detach", folder / "before", BEFORE], check=True)
        try:
            config = make_table(folder, [{"model": make_models(folder)[0], "width": SMALL_PX, "tile": 128}])
            code = {"before": folder / "before", "now": PROJECT}
            seconds: dict[str, list[dict[str, float]]] = {"before": [], "now": []}
            for number in range(NUM_PAIRS):
                for name, root in code.items():
                    seconds[name].append(steps_of_one(config, folder / f"{name}-{number}", root))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder / "before"], check=True)
    rows = []
    for step in seconds["now"][0]:
        pairs = [(before[step], now[step]) for before, now in zip(seconds["before"], seconds["now"], strict=True)]
        medians = [f"{statistics.median(times):.1f}" for times in zip(*pairs, strict=True)]
        rows.append([step, *medians, f"{statistics.median(before / now for before, now in pairs):.2f}"])
    table = markdown_table(["command", f"{BEFORE}, s", "now, s", "median ratio of the pairs"], rows)
    return (
        f"## A single poster\n\n{command('single')}: {SMALL_PX} px in tiles of 128 by {NUM_WORKERS} workers, "
        f"{NUM_PAIRS} pairs in turns, each command with its own Ray.\n\n{table}\n"
    )


SECTIONS = {"many": many, "kills": kills, "mixed": mixed, "rows": rows, "single": single}


def main(names: list[str]) -> None:
    """Make some of the sections anew, and write the report."""
    file = RESULTS / "batch.md"
    parts = file.read_text().split("\n## ")[1:] if file.exists() else []
    known = {part.partition("benchmarks.batch ")[2].partition("`")[0]: f"## {part.strip()}\n" for part in parts}
    for name in names or SECTIONS:
        known[name] = SECTIONS[name]()
        print(known[name], flush=True)
        ordered = [known[each] for each in SECTIONS if each in known]
        file.write_text("# Batches\n\n" + "\n".join(ordered))


if __name__ == "__main__":
    main(sys.argv[1:])
