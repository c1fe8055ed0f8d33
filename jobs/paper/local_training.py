"""Training in this process, for experiments: no Ray, no MLflow, and the same batches and steps as `magic train`."""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from tqdm import tqdm

from jobs.settings.training_config import TrainConfig
from magic.scene.memory import Pictures
from magic.training.batch import Batch
from magic.training.checkpoint import load_state, save_state
from magic.training.step import TrainState, new_state, train_step
from pipelines.pictures.crops import draw_batch

SAVE_EVERY_S = 60.0
NOTE = "clock.json"


def train_here(
    config: TrainConfig, content: Pictures | None, style: Pictures, folder: Path, *, seconds: float, place: int = 0
) -> TrainState:
    """Train for so many seconds in all, or to the last step; goes on from the newest checkpoint in the folder.

    Args:
        config: the recipe; its sources, workers and cluster play no part.
        content: content pictures, none for unguided collages.
        style: style pictures.
        folder: for checkpoints. One that is half written is never taken up.
        seconds: of training, not counting checkpoints and earlier starts.
        place: among the trainings that run side by side, for the progress bar.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(config.crops.seed)
    state = new_state(config.generator, config.discriminator, config.losses, config.optimizer, device=device)
    spent = resume(folder, state)
    started = saved = time.monotonic()
    with tqdm(desc=config.name, total=round(seconds), initial=round(spent), unit="s", position=place) as bar:
        for batch in prefetched(config, content, style, state.step):
            if spent >= seconds:
                break
            terms = train_step(state, batch)
            now = time.monotonic()
            spent, started = spent + now - started, now
            if state.step % config.log_every == 0:
                bar.set_postfix_str(f"step {state.step}, generator {terms['loss/generator'].item():.3f}")
                bar.update(round(min(spent, seconds)) - bar.n)
            if now > saved + SAVE_EVERY_S:
                save(folder, state, spent)
                started = saved = time.monotonic()
    save(folder, state, spent)
    return state


def prefetched(config: TrainConfig, content: Pictures | None, style: Pictures, first: int) -> Iterator[Batch]:
    """Batches from a number on to the last; the next is cropped while one is in use."""

    def make(number: int) -> Batch:
        arrays = draw_batch(content, style, number, config.crops)
        return Batch(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make, first)
        for number in range(first, config.steps):
            batch = coming.result()
            coming = thread.submit(make, number + 1)
            yield batch


def save(folder: Path, state: TrainState, spent: float) -> None:
    """A new checkpoint; the older ones go when it is whole."""
    target = folder / f"step-{state.step:08d}"
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    save_state(unfinished, state)
    (unfinished / NOTE).write_text(json.dumps({"seconds": spent}) + "\n")
    if not target.exists():
        unfinished.rename(target)
    for old in folder.glob("step-*"):
        if old != target:
            shutil.rmtree(old)


def resume(folder: Path, state: TrainState) -> float:
    """Put the newest checkpoint into a fresh state; returns the seconds spent on it."""
    newest = max(folder.glob("step-*"), default=None)
    if newest is None:
        return 0.0
    load_state(newest, state)
    return float(json.loads((newest / NOTE).read_text())["seconds"])
