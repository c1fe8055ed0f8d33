"""What every training worker runs."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import Checkpoint
from ray.train.torch import get_device, prepare_model
from torch import Tensor

from cluster.tracking.runs import RunLog
from jobs.settings.training_config import TrainConfig
from jobs.training.validation import look, measures, sample_sheet, validation_batch
from magic.networks.packed import RECIPE
from magic.training.batch import Batch
from magic.training.checkpoint import load_state, save_state
from magic.training.step import TrainState, new_state, train_step
from pipelines.pictures.sources import Source
from pipelines.pictures.stream import read_batches


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told."""

    config: TrainConfig
    content: Source | None
    """None for unguided collages."""
    style: Source
    tracking_uri: str
    run_id: str
    recipe: dict[str, Any]


def training_loop(settings: dict[str, Any]) -> None:
    """Steps from the newest checkpoint to the last, logged and checkpointed by rank 0.

    Args:
        settings: "job", a Job, and "board", where rank 0 writes how far it is.
    """
    job: Job = settings["job"]
    config = job.config
    context = ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    state = start_state(config, context.get_local_world_size())
    meter = Meter()
    with ExitStack() as stack:
        log = None
        if rank == 0:
            log = RunLog(job.tracking_uri, job.run_id)
            stack.callback(log.close)
        first, begun_at = None, state.step
        batches = meter.timed(read_batches(ray.train.get_dataset_shard("train")))
        for number, batch in batches:
            first = number if first is None else first
            meter.add(train_step(state, batch), len(batch.style))
            last, taken = state.step == config.steps, (state.step - begun_at) * workers
            if last or state.step % config.log_every == 0:  # both wait for the device
                assert int(number) == int(first) + taken - workers, f"batch {int(number)} in step {state.step}"
            if log and (last or state.step % config.log_every == 0):
                report(meter, log, settings["board"], state.step, workers)
            if log and (last or state.step % config.sheet_every == 0):
                validate(state, job, log)
            if last or state.step % config.checkpoint_every == 0:
                checkpoint(state, job.recipe, rank, int(number) - rank + workers)
            if last:
                break  # what is left is there for workers who did not come
    assert state.step == config.steps, f"the batches ended at step {state.step} of {config.steps}"


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


def checkpoint(state: TrainState, recipe: dict[str, Any], rank: int, batches: int) -> None:
    """Rank 0 saves; all ranks wait for one another.

    Args:
        state: what is saved.
        recipe: is saved beside it.
        rank: of this worker.
        batches: how many all workers have taken together.
    """
    metrics = {"step": state.step, "batches": batches}
    with tempfile.TemporaryDirectory() as scratch:
        saved = None
        if rank == 0:
            save_state(Path(scratch), state)
            (Path(scratch) / RECIPE).write_text(json.dumps(recipe, indent=2) + "\n")
            saved = Checkpoint.from_directory(scratch)
        ray.train.report(metrics, checkpoint=saved, checkpoint_dir_name=f"step-{state.step:08d}")


def validate(state: TrainState, job: Job, log: RunLog) -> None:
    """A sheet and measures of the averaged generator on fixed crops."""
    seen = look(state.average, validation_batch(job.content, job.style, job.config.crops), state.device)
    log.picture(sample_sheet(seen), f"sheets/step-{state.step:08d}.png")
    log.metrics(measures(seen, job.config.generator.system), step=state.step, time_ms=int(time.time() * 1000))


def report(meter: "Meter", log: RunLog, board: Any, step: int, workers: int) -> None:
    """Write what the meter gathered since the last time."""
    values = meter.take(workers)
    log.metrics(values, step=step, time_ms=int(time.time() * 1000))
    note = f"generator {values['loss/generator']:.3f}, discriminator {values['loss/discriminator']:.3f}"
    board.put.remote(step, note)


@dataclass
class Meter:
    """Means of the loss terms and shares of time between two log entries."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    patches: int = 0
    waited_s: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def timed(self, batches: Iterator[tuple[Tensor, Batch]]) -> Iterator[tuple[Tensor, Batch]]:
        """The same batches; the time spent waiting for them is noted."""
        while True:
            start = time.perf_counter()
            item = next(batches, None)
            self.waited_s += time.perf_counter() - start
            if item is None:
                return
            yield item

    def add(self, terms: dict[str, Tensor], patches: int) -> None:
        """One step's loss terms; nothing waits for the device here."""
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, 0) + term
            self.counts[name] += 1  # some terms come now and then
        self.steps += 1
        self.patches += patches

    def take(self, workers: int) -> dict[str, float]:
        """Means, and rates over all workers; begins anew."""
        values = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        elapsed_s = time.perf_counter() - self.since
        values["throughput/steps_per_s"] = self.steps / elapsed_s
        values["throughput/patches_per_s"] = self.patches * workers / elapsed_s
        values["time/data_wait_share"] = self.waited_s / elapsed_s
        self.__init__()  # type: ignore[misc]
        return values
