"""What Ray Data costs beside a training: crops per second at full speed, and CPU when the training is slower.

    python benchmarks/data_stream.py

Both sides, Ray Data's scheduler as it comes and with the pause that pipelines/batches.py gives it, are measured in
turns within one run, on noise pictures. Writes benchmarks/results/data_stream.md.
"""

import logging
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import ray
from PIL import Image

from pipelines.pictures import stream as batches
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.sources import survey

RESULTS = Path(__file__).parent / "results"
CROPS = CropConfig(patch_px=128, num_templates=12, batch_size=2)
ROUNDS, ROWS, STEP_S = 3, 300, 0.05


def main() -> None:
    ray.init(num_cpus=4, object_store_memory=1_000_000_000, log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        for number in range(4):
            noise = rng.integers(0, 256, (800, 1600, 3), dtype=np.uint8)
            Image.fromarray(noise).save(f"{folder}/{number}.png")
        source = survey(SourceConfig(urls=(folder,)), min_side_px=128, name="noise")
        consume(source, 0.0, ROWS)  # worker processes start
        pauses = {"as it comes": 0.0, "with the pause": batches.SCHEDULER_PAUSE_S}
        rows = {name: {"crops": [], "cpu": []} for name in pauses}
        for _ in range(ROUNDS):
            for name, pause_s in pauses.items():
                batches.SCHEDULER_PAUSE_S = pause_s
                wall_s, _ = consume(source, 0.0, ROWS)
                rows[name]["crops"].append(ROWS * CROPS.batch_size * (CROPS.num_templates + 2) / wall_s)
                wall_s, cpu_s = consume(source, STEP_S, ROWS)
                rows[name]["cpu"].append(cpu_s / wall_s)
    report(rows)


def consume(source, step_s: float, count: int) -> tuple[float, float]:
    """Read batches, spending step_s on each; returns wall seconds and CPU seconds of this process, the scheduler's."""
    batches.keep_order()
    stream = batches.batch_dataset(source, source, CROPS, first=0, count=count).iterator()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in batches.read_batches(stream):
        time.sleep(step_s)
    return time.perf_counter() - wall, time.process_time() - cpu


def report(rows: dict[str, dict[str, list[float]]]) -> None:
    median = {name: {k: statistics.median(v) for k, v in values.items()} for name, values in rows.items()}
    plain, paused = median["as it comes"], median["with the pause"]
    lines = ["| | crops of 128 px per second, no training | cores used by the scheduler beside 50 ms steps |"]
    lines += ["| --- | --- | --- |"]
    lines += [f"| {name} | {m['crops']:.0f} | {m['cpu']:.2f} |" for name, m in median.items()]
    lines += [f"| ratio | {paused['crops'] / plain['crops']:.2f} | {paused['cpu'] / plain['cpu']:.2f} |"]
    table = "\n".join(lines)
    print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "data_stream.md").write_text(
        f"# Ray Data beside a training\n\n`python benchmarks/data_stream.py`, medians of {ROUNDS} rounds, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, ray {version('ray')}\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
