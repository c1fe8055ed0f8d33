"""What Ray Data costs beside a training: crops per second at full speed, and CPU time when the training is slower.

    python benchmarks/data_stream.py

Ray Data's scheduler is measured as it comes, and with the pause that pipelines/pictures/stream.py gives it: in turns
within one run, on pictures of noise. Writes benchmarks/results/data_stream.md.
"""

import logging
import statistics
import tempfile
import time

import numpy as np
import ray
from PIL import Image
from report import write_report

from magic.machine import machine
from magic.tables import markdown_table
from pipelines.pictures import stream
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.sources import survey

CROPS = CropConfig(patch_px=128, num_templates=12, batch_size=2)
NUM_ROUNDS, NUM_BATCHES = 3, 300
STEP_S = 0.05
"""Duration of a training step that is slower than the crops."""


def main() -> None:
    ray.init(num_cpus=4, object_store_memory=1_000_000_000, log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        for number in range(4):
            noise = rng.integers(0, 256, (800, 1600, 3), dtype=np.uint8)
            Image.fromarray(noise).save(f"{folder}/{number}.png")
        source = survey(SourceConfig(urls=(folder,)), min_side_px=128, name="noise")
        consume(source, 0.0)  # the worker processes start
        pauses = {"as it comes": 0.0, "with the pause": stream.SCHEDULER_PAUSE_S}
        rows = {name: {"crops": [], "cpu": []} for name in pauses}
        for _ in range(NUM_ROUNDS):
            for name, pause_s in pauses.items():
                stream.SCHEDULER_PAUSE_S = pause_s
                wall_s, _ = consume(source, 0.0)
                rows[name]["crops"].append(NUM_BATCHES * CROPS.batch_size * (CROPS.num_templates + 2) / wall_s)
                wall_s, cpu_s = consume(source, STEP_S)
                rows[name]["cpu"].append(cpu_s / wall_s)
    report(rows)


def consume(source, step_s: float) -> tuple[float, float]:
    """Read all batches, and sleep for step_s after each.

    Returns:
        The seconds that it took, and the CPU seconds of this process, which are those of Ray Data's scheduler.
    """
    stream.keep_order()
    batches = stream.batch_dataset(source, source, CROPS, first=0, count=NUM_BATCHES).iterator()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in stream.read_batches(batches):
        time.sleep(step_s)
    return time.perf_counter() - wall, time.process_time() - cpu


def report(rows: dict[str, dict[str, list[float]]]) -> None:
    """Write the medians over the rounds."""
    medians = {name: {key: statistics.median(values) for key, values in row.items()} for name, row in rows.items()}
    plain, paused = medians["as it comes"], medians["with the pause"]
    heads = ["", "crops of 128 px per second, no training", "cores used by the scheduler beside 50 ms steps"]
    lines = [[name, f"{median['crops']:.0f}", f"{median['cpu']:.2f}"] for name, median in medians.items()]
    lines += [["ratio", *(f"{paused[key] / plain[key]:.2f}" for key in ("crops", "cpu"))]]
    write_report(
        "data_stream",
        f"# Ray Data beside a training\n\n`python benchmarks/data_stream.py`, medians of {NUM_ROUNDS} rounds, on "
        f"{machine('ray')}\n\n{markdown_table(heads, lines)}\n",
    )


if __name__ == "__main__":
    main()
