"""What every training worker runs."""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import Checkpoint
from ray.train.torch import get_device, prepare_model

from cluster.tracking.runs import RunLog
from jobs.models.recipe import RECIPE, Recipe
from jobs.settings.training_config import TrainConfig
from jobs.training.meter import Meter
from jobs.training.validation import measures, sample_sheet, validate, validation_batch
from magic.training.checkpoint import load_state, save_state
from magic.training.step import TrainState, new_state, train_step
from pipelines.pictures.sources import Source
from pipelines.pictures.stream import read_batches


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What every training worker is told."""

    config: TrainConfig
    content: Source | None
    """None for unguided collages."""
    style: Source
    tracking_uri: str
    run_id: str
    recipe: Recipe


def training_loop(settings: dict[str, Any]) -> None:
    """Steps from the newest checkpoint to the last. Rank 0 logs them and saves the checkpoints.

    Args:
        settings: "task", a TrainingTask, and "board", where rank 0 writes how far it is.
    """
    task: TrainingTask = settings["task"]
    context = ray.train.get_context()
    state = start_state(task.config, context.get_local_world_size())
    with ExitStack() as stack:
        log = RunLog(task.tracking_uri, task.run_id) if context.get_world_rank() == 0 else None
        if log is not None:
            stack.callback(log.close)
        Worker(task, state, settings["board"], log, context.get_world_rank(), context.get_world_size()).train()


@dataclass(frozen=True)
class Worker:
    """One training worker at its work."""

    task: TrainingTask
    state: TrainState
    board: Any
    """Where rank 0 writes how far it is, for the progress bar."""
    log: RunLog | None
    """Of rank 0 alone."""
    rank: int
    num_workers: int
    meter: Meter = field(default_factory=Meter)

    def train(self) -> None:
        """Take the batches in turn, to the last step."""
        config, first, first_step = self.task.config, None, self.state.step
        for number, batch in self.meter.timed(read_batches(ray.train.get_dataset_shard("train"))):
            first = number if first is None else first
            self.meter.add(train_step(self.state, batch), len(batch.style))
            taken = (self.state.step - first_step) * self.num_workers
            if self._is_due(config.log_every):  # only then, since it waits for the device
                expected = int(first) + taken - self.num_workers
                assert int(number) == expected, f"batch {int(number)} in step {self.state.step}"
                self._report()
            if self._is_due(config.sheet_every):
                self._validate()
            if self._is_due(config.checkpoint_every):
                self._save_checkpoint(int(number) - self.rank + self.num_workers)
            if self.state.step == config.steps:
                break  # the remaining batches were meant for workers that did not come
        assert self.state.step == config.steps, f"the batches ended at step {self.state.step} of {config.steps}"

    def _is_due(self, every: int) -> bool:
        """Whether something that is done every so many steps is to be done now. After the last step everything is."""
        return self.state.step % every == 0 or self.state.step == self.task.config.steps

    def _report(self) -> None:
        """Log what the meter gathered since the last time."""
        if self.log is None:
            return
        values = self.meter.take(self.num_workers)
        self.log.metrics(values, step=self.state.step, time_ms=int(time.time() * 1000))
        note = f"generator {values['loss/generator']:.3f}, discriminator {values['loss/discriminator']:.3f}"
        self.board.put.remote(self.state.step, note)

    def _validate(self) -> None:
        """Log a sheet and measures of the averaged generator on fixed crops."""
        if self.log is None:
            return
        batch = validation_batch(self.task.content, self.task.style, self.task.config.crops)
        validation = validate(self.state.average, batch, self.state.device)
        self.log.picture(sample_sheet(validation), f"sheets/step-{self.state.step:08d}.png")
        values = measures(validation, self.task.config.generator.traits)
        self.log.metrics(values, step=self.state.step, time_ms=int(time.time() * 1000))

    def _save_checkpoint(self, num_batches: int) -> None:
        """Rank 0 saves; all ranks wait for one another.

        Args:
            num_batches: how many batches all workers have taken together.
        """
        metrics = {"step": self.state.step, "batches": num_batches}
        with tempfile.TemporaryDirectory() as scratch:
            saved = None
            if self.rank == 0:
                save_state(Path(scratch), self.state)
                (Path(scratch) / RECIPE).write_bytes(self.task.recipe.to_bytes())
                saved = Checkpoint.from_directory(scratch)
            ray.train.report(metrics, checkpoint=saved, checkpoint_dir_name=f"step-{self.state.step:08d}")


def start_state(config: TrainConfig, workers_here: int) -> TrainState:
    """Fresh networks, or those of the newest checkpoint."""
    device = get_device()
    if device.type == "cpu":
        torch.set_num_threads(max((torch.multiprocessing.cpu_count()) // workers_here, 1))
    torch.manual_seed(config.crops.seed)
    state = new_state(
        config.generator, config.discriminator, config.losses, config.optimizer, device=device, wrap=prepare_model
    )
    newest = ray.train.get_checkpoint()
    if newest is not None:
        with newest.as_directory() as folder:
            load_state(Path(folder), state)
    return state
