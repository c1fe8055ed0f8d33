"""Batches for benchmarks: their models and tables, the same rows as single commands, and what their records say."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from jobs.batches.rows import read_rows
from jobs.settings.batch_config import BatchConfig
from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE, PROJECT
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import build_generator
from magic.networks.packed import save_generator

NUM_MODELS, NUM_WORKERS = 3, 2


def make_models(folder: Path) -> list[Path]:
    """Small models of random weights."""
    models = []
    for number in range(NUM_MODELS):
        torch.manual_seed(number)
        models.append(folder / f"model-{number}")
        save_generator(models[-1], build_generator(GeneratorConfig(channels=8, depth=3)))
    return models


def make_table(folder: Path, rows: list[Mapping[str, Any]]) -> BatchConfig:
    """A batch of these rows; what they leave open is the same in all."""
    shared = {"content": PROJECT / DEMO_CONTENT, "style": PROJECT / DEMO_STYLE, "templates": 6}
    full = [{"id": f"row-{number:04}", **shared, **row} for number, row in enumerate(rows)]
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in full for name in row)))
        writer.writeheader()
        writer.writerows(full)
    return BatchConfig(table=str(folder / "table.csv"), out=str(folder / "out"), workers=NUM_WORKERS)


def single_seconds(config: BatchConfig, name: str, folder: Path) -> float:
    """The time that a row takes as a command of its own; its bytes must be the batch's."""
    out = folder / "single" / name
    seconds = timed(single_command(config, name, out), PROJECT)
    assert contents(out) == contents(Path(config.out) / "posters" / name), name
    return seconds


def single_command(config: BatchConfig, name: str, out: Path) -> list[str]:
    """A row as a command."""
    row = next(row for row in read_rows(config) if row.name == name)
    given = {name: value for name, value in row.cells.items() if name != "id" and value is not None}
    options = [part for name, value in given.items() for part in (f"--{name}", str(value).replace("true", "True"))]
    return [sys.executable, "-m", "jobs.cli", "poster", "--workers", str(config.workers), "--out", str(out), *options]


def steps_of_one(config: BatchConfig, out: Path, root: Path) -> dict[str, float]:
    """The time of a poster's command, by the code in a folder: for a new poster, a finished one, and one lost tile."""
    seconds = {"a new poster": timed(single_command(config, "row-0000", out), root)}
    seconds["the same command again"] = timed(single_command(config, "row-0000", out), root)
    (out / "tiles.zarr/output/0/c/0/1/1").unlink()
    return seconds | {"one tile is lost": timed(single_command(config, "row-0000", out), root)}


def timed(line: list[str], root: Path) -> float:
    """The time that a command takes, by the code in a folder."""
    started = time.monotonic()
    subprocess.run(line, check=True, capture_output=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    return time.monotonic() - started


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def batch_command(config: BatchConfig) -> list[str]:
    """The command of a batch."""
    options = ["--out", config.out, "--workers", str(NUM_WORKERS)]
    return [sys.executable, "-m", "jobs.cli", "batch", str(config.table), *options]


def records(config: BatchConfig) -> Iterator[dict[str, Any]]:
    """The records of a batch's rows."""
    return (json.loads(path.read_text()) for path in sorted((Path(config.out) / "rows").glob("*.json")))


def num_tasks(config: BatchConfig) -> int:
    """Tasks of all rows' last attempts."""
    return sum(record["tasks"] for record in records(config))


def num_done(config: BatchConfig) -> int:
    """How many rows are done."""
    return sum(record["status"] == "done" for record in records(config))
