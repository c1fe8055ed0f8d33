"""Time, memory of every process, and disk of posters of growing area, from plan to exported file.

    python benchmarks/poster_sizes.py [SIDE_PX ...]

Paints squares (default 5000 10000 20000) with a tiny generator (4 channels, depth 2, K = 4) on two workers, with
pyramid levels, attribution and a BigTIFF. A side of 50,000 px or more is painted by a single network (a convolutional
mosaic), and only a few of its tiles are: the job is killed after them, their files are linked to the places of all
other tiles, and the same command goes on from there. Each side is added to benchmarks/results/poster_sizes.json; the
table of all sides is poster_sizes.md.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from itertools import cycle
from pathlib import Path

import psutil
import torch
from PIL import Image, ImageOps
from report import RESULTS, family, kill, write_report

from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE, PROJECT
from magic.hyperparameters import GeneratorConfig
from magic.machine import machine
from magic.networks.generator import build_generator
from magic.networks.packed import save_generator
from magic.tables import markdown_table

SAMPLED_FROM_PX, NUM_SAMPLED_TILES = 50_000, 4
"""Of posters with such a side or a longer one, so many tiles are painted."""
TINY = GeneratorConfig(channels=4, depth=2, heads=1)
SINGLE_NETWORK = GeneratorConfig(system="mosaic", channels=4, depth=2)
MEMORY_GB = 1
"""What each worker may use for tiles, the same for all sides."""
PARTS = {"TileWorker": "painting worker", "FunctionWorker": "worker for the rest", "jobs.cli": "command"}
"""Kinds of processes, by what their command lines contain."""


class Watch:
    """Runs a command, and records the peak memory of each kind of its processes."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command)
        self.peak_bytes: dict[str, int] = defaultdict(int)
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while self.process.poll() is None:
            for process in family(self.process):
                try:
                    line = " ".join(process.cmdline())
                    kind = next((name for mark, name in PARTS.items() if mark in line), None)
                    if kind:
                        memory = process.memory_info()  # shared memory, the object store, is left out
                        self.peak_bytes[kind] = max(self.peak_bytes[kind], memory.rss - memory.shared)
                except (psutil.Error, AttributeError):
                    continue
            time.sleep(0.1)


def measure(side: int, model: Path, out: Path) -> dict[str, float]:
    """Paint and export one poster.

    Returns:
        A column of the table: seconds, memory and disk.
    """
    command = [sys.executable, "-m", "jobs.cli", "poster", "--model", model, "--out", out, "--width", side]
    command += ["--content", square_content(model), "--style", PROJECT / DEMO_STYLE, "--templates", 4, "--workers", 2]
    command += ["--memory-gb", MEMORY_GB, "--mode", "preview" if side >= SAMPLED_FROM_PX else "tiles", "--formats"]
    args, peaks, start = [str(arg) for arg in command], defaultdict(int), time.perf_counter()
    if side >= SAMPLED_FROM_PX:
        first = Watch(args)
        sample_tiles(first, out)
        merge(peaks, first)
    second = Watch(args)
    assert second.process.wait() == 0
    merge(peaks, second)
    painted = time.perf_counter()
    export = [sys.executable, "-m", "jobs.cli", "export", str(out), str(out.parent / "poster.tif")]
    third = Watch([*export, "--tiff-compression", "jpeg"])
    assert third.process.wait() == 0
    exported = {f"export: {name}": peak for name, peak in third.peak_bytes.items()}
    plan = json.loads((out / "job.json").read_text())["plan"]
    stored = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {
        "tile, px": plan["tile"],
        "poster and halvings, s": painted - start,
        "BigTIFF, s": time.perf_counter() - painted,
        **{f"peak memory of {name}, MB": peak / 1e6 for name, peak in sorted({**peaks, **exported}.items())},
        "store, GB": stored / 1e9,
        "BigTIFF, GB": (out.parent / "poster.tif").stat().st_size / 1e9,
    }


def square_content(folder: Path) -> Path:
    """Write the demo's portrait, cut to a square; returns the file."""
    path = folder / "square.png"
    with Image.open(PROJECT / DEMO_CONTENT) as picture:
        ImageOps.fit(picture, (512, 512)).save(path)
    return path


def sample_tiles(watch: Watch, out: Path) -> None:
    """Kill the job once some tiles are painted, and put links to these in the places of all others."""
    layer = out / "tiles.zarr" / "output" / "0"
    while len(done := [p for p in layer.glob("c/0/*/*") if p.suffix == ""]) < NUM_SAMPLED_TILES:
        assert watch.process.poll() is None, "the job ended"
        time.sleep(1)
    kill(watch.process)
    array = json.loads((layer / "zarr.json").read_text())
    shape, shard = array["shape"][1:], array["chunk_grid"]["configuration"]["chunk_shape"][1]
    places = [f"c/0/{row}/{column}" for row in range(-(-shape[0] // shard)) for column in range(-(-shape[1] // shard))]
    for name in ("output", "collage", "labels"):
        folder = out / "tiles.zarr" / name / "0"
        for place, source in zip(places, cycle(sorted(path.relative_to(layer) for path in done)), strict=False):
            if not (folder / place).exists():
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                os.link(folder / source, folder / place)


def merge(peaks: dict[str, int], watch: Watch) -> None:
    """Raise the peaks to those of a further command."""
    for name, peak in watch.peak_bytes.items():
        peaks[name] = max(peaks[name], peak)


def main(sides: list[int]) -> None:
    measured = RESULTS / "poster_sizes.json"
    columns = json.loads(measured.read_text()) if measured.exists() else {}
    for side in sides:
        with tempfile.TemporaryDirectory() as model:
            torch.manual_seed(0)
            save_generator(Path(model), build_generator(SINGLE_NETWORK if side >= SAMPLED_FROM_PX else TINY))
            with tempfile.TemporaryDirectory(dir=os.environ.get("WORK")) as work:
                columns[str(side)] = measure(side, Path(model), Path(work) / "poster")
        measured.write_text(json.dumps(columns, indent=2) + "\n")
        report(columns)


def report(columns: dict[str, dict[str, float]]) -> None:
    """Write the table, with a column for each side."""
    sides = sorted(columns, key=int)
    names = columns[sides[-1]]
    rows = [[name, *(f"{columns[side].get(name, 0):.4g}" for side in sides)] for name in names]
    table = markdown_table(["", *(f"{int(side):,} px" for side in sides)], rows)
    write_report(
        "poster_sizes",
        f"# Posters of growing area\n\n`python benchmarks/poster_sizes.py {' '.join(sides)}` on "
        f"{machine('ray', 'zarr')}\n\nSquares by a generator of 4 channels and depth 2, K = 4, on two workers that may "
        f"use {MEMORY_GB} GB each for tiles. Memory is what each process has to itself at its peak, the object store "
        "(0.2 GB here) left out; an export holds a band of 512 rows, whatever the height. From 50,000 px on by a "
        "single network (a convolutional mosaic of 4 channels and depth 2), whose pictures are smooth and take less "
        "disk. Only a few of their tiles are painted, with statistics of 16, and the others are links to these; "
        f"pyramid levels, attribution and file are of the full size.\n\n{table}\n",
    )


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or [5000, 10_000, 20_000])
