"""Training in this process, for experiments: the batches and steps of `magic train`, without Ray and MLflow."""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from jobs.settings.training_config import TrainConfig
from magic.scene.memory import Pictures
from magic.training.batch import Batch
from magic.training.checkpoint import load_state, save_state
from magic.training.step import TrainState, new_state, train_step
from pipelines.pictures.crops import draw_batch
from pipelines.progress import progress
from pipelines.storage.claims import claim
from pipelines.storage.records import Record

SAVE_EVERY_S = 60.0
CLOCK = "clock.json"
"""File of a checkpoint that says how many seconds of training came before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalTraining(Record):
    """What a run's folder belongs to."""

    KIND: ClassVar[str] = "local training"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "a local training's settings"
    run: TrainConfig


def train_run(
    run: TrainConfig, content: Pictures | None, style: Pictures, folder: Path, *, seconds: float, slot: int = 0
) -> TrainState:
    """Train a run in a folder of its own, which is named after it and lies in `folder`; see `train_here`.

    Raises:
        ValueError: if the run's folder holds the work of a run with other settings.
    """
    claim(str(folder / run.name), LocalTraining(run=run), "a run's folder (--out)")
    allow_fast_kernels()
    return train_here(run, content, style, folder / run.name, seconds=seconds, slot=slot)


def allow_fast_kernels() -> None:
    """Let torch choose the fastest kernels again.

    A `TileRenderer` forbids them for the whole process, because painting has to be exact. Without this, a run that
    follows a painted picture would take fewer steps in its minutes than the first.
    """
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False


def train_here(
    config: TrainConfig, content: Pictures | None, style: Pictures, folder: Path, *, seconds: float, slot: int = 0
) -> TrainState:
    """Train until the seconds are spent or the last step is done, from the newest checkpoint in the folder on.

    Args:
        config: the recipe; its sources, workers and cluster are not used.
        content: content pictures, None for unguided collages.
        style: style pictures.
        folder: for checkpoints. Half-written ones are ignored.
        seconds: of training, earlier starts included; the time that checkpoints take is not counted.
        slot: number of this training among those that run side by side: the line of its progress bar.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(config.crops.seed)
    state = new_state(config.generator, config.discriminator, config.losses, config.optimizer, device=device)
    spent_s = resume(folder, state)
    last_step = last_save = time.monotonic()
    with progress(config.name, round(seconds), "second", initial=round(spent_s), position=slot) as shown:
        for batch in prefetched(config, content, style, state.step):
            if spent_s >= seconds:
                break
            terms = train_step(state, batch)
            now = time.monotonic()
            spent_s, last_step = spent_s + now - last_step, now
            if state.step % config.log_every == 0:
                shown.note = f"step {state.step}, generator {terms['loss/generator'].item():.3f}"
                shown.update(round(min(spent_s, seconds)) - shown.num_done)
            if now > last_save + SAVE_EVERY_S:
                save(folder, state, spent_s)
                last_step = last_save = time.monotonic()
    save(folder, state, spent_s)
    return state


def prefetched(config: TrainConfig, content: Pictures | None, style: Pictures, first_batch: int) -> Iterator[Batch]:
    """The batches from a number on to the last; a thread crops the next one while one is in use."""

    def make(number: int) -> Batch:
        arrays = draw_batch(content, style, number, config.crops)
        return Batch(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    with ThreadPoolExecutor(1) as thread:
        next_batch = thread.submit(make, first_batch)
        for number in range(first_batch, config.steps):
            batch = next_batch.result()
            next_batch = thread.submit(make, number + 1)
            yield batch


def save(folder: Path, state: TrainState, spent_s: float) -> None:
    """Write a checkpoint, and remove the older ones when it is complete."""
    target = folder / f"step-{state.step:08d}"
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    save_state(unfinished, state)
    (unfinished / CLOCK).write_text(json.dumps({"seconds": spent_s}) + "\n")
    if not target.exists():
        unfinished.rename(target)
    for old in folder.glob("step-*"):
        if old != target:
            shutil.rmtree(old)


def resume(folder: Path, state: TrainState) -> float:
    """Load the newest checkpoint, if there is one, into a fresh state; returns the seconds of training before it."""
    newest = max(folder.glob("step-*"), default=None)
    if newest is None:
        return 0.0
    load_state(newest, state)
    return float(json.loads((newest / CLOCK).read_text())["seconds"])


def slug(label: str) -> str:
    """A label as the name of a run: letters and digits, with '-' in place of everything between them."""
    return "-".join("".join(c if c.isalnum() else " " for c in label).split())
