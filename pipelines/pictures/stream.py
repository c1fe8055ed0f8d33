"""The stream of training batches: batch numbers -> crops -> Ray Data -> a Batch on the training worker."""

import time
from collections.abc import Iterator
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
import ray.data
import torch
from numpy import ndarray
from ray.data import DataIterator, Dataset, TaskPoolStrategy
from ray.data.collate_fn import NumpyBatchCollateFn
from ray.train import DataConfig

from magic.training.batch import Batch
from pipelines.pictures.crops import draw_batch
from pipelines.pictures.private_ray_data import ExecutionCallback, RangeDatasource
from pipelines.pictures.settings import CropConfig
from pipelines.pictures.sources import Source

TASK_BYTES = 64_000_000
"""Crops that one task makes: so many that starting the task costs little, so few that nobody waits long for them."""
MAX_ROWS_PER_TASK = 64
SCHEDULER_PAUSE_S = 0.01


def batch_dataset(
    content: Source | None, style: Source, config: CropConfig, *, first: int, count: int, task_cpus: float = 1.0
) -> Dataset:
    """Training batches number first, first+1, ... as a dataset of one row each.

    A row depends on its number alone, so neither the number of tasks nor a restart changes any crop, and a
    resumed run begins at the batch after its checkpoint.

    Args:
        content: content pictures, None for unguided collages.
        style: style pictures.
        config: sizes and seed.
        first: number of the first batch.
        count: how many batches.
        task_cpus: CPUs that each cropping task asks for.
    """
    row_bytes = 3 * config.patch_px**2 * config.batch_size * (config.num_templates + 2)
    rows_per_task = max(min(TASK_BYTES // row_bytes, MAX_ROWS_PER_TASK), 1)
    num_tasks = max(ceil(count / rows_per_task), 1)  # an empty stream has one task, which makes no row
    sources = ray.put((content, style))

    def crop_batches(tasks: dict[str, ndarray]) -> Iterator[dict[str, Any]]:
        # a picture is fetched once per task, not once per crop: fetching costs as much as a hundred crops
        content, style = (source and _CachedSource(source, config.pool_pictures) for source in ray.get(sources))
        for task in tasks["id"].tolist():
            for number in range(task * rows_per_task, min((task + 1) * rows_per_task, count)):
                batch = draw_batch(content, style, first + number, config)
                yield {name: array[None] for name, array in batch.items()} | {"number": np.array([first + number])}

    numbers = RangeDatasource(n=num_tasks, block_format="arrow", column_name="id")
    tasks = ray.data.read_datasource(numbers, override_num_blocks=num_tasks, num_cpus=task_cpus)
    pool = TaskPoolStrategy(config.data_workers)
    return tasks.map_batches(crop_batches, batch_size=None, compute=pool, num_cpus=task_cpus)


class _CachedSource:
    """A source that remembers the pictures it fetched last."""

    def __init__(self, source: Source, num_pictures: int) -> None:
        self.sizes, self.shares = source.sizes, source.shares
        self.get = lru_cache(num_pictures)(source.get)


class _SchedulerPause(ExecutionCallback):  # type: ignore[misc]
    """Lets Ray Data's scheduler sleep between two polls of its tasks.

    When training is slower than cropping, all buffers are full and the scheduler polls without a pause. That takes a
    core, which a two-core machine needs for the training. benchmarks/data_stream.py measures what the pause gains and
    costs.
    """

    def on_execution_step(self, executor: object) -> None:
        time.sleep(SCHEDULER_PAUSE_S)


def keep_order() -> None:
    """Make Ray Data hand rows out in the order of their numbers. Call it before a dataset is made.

    Every block holds one row, because any row exceeds the block size limit set here. Blocks go to the training
    workers in turn, so worker r of N gets the rows r, r+N, ... With larger blocks a worker would get runs of rows,
    and a resumed run would skip some and repeat others.
    """
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1
    context.custom_execution_callback_classes = [_SchedulerPause]
    context.enable_progress_bars = False


def read_batches(stream: DataIterator) -> Iterator[tuple[torch.Tensor, Batch]]:
    """Batches with their numbers. The next ones are prepared and brought to the device while a step runs.

    The number is a tensor as well: on a GPU, reading its value waits for all earlier work.
    """
    for row in stream.iter_torch_batches(batch_size=1, prefetch_batches=2, collate_fn=_SingleRow()):
        yield row.pop("number"), Batch(**row)


class RoundRobin(DataConfig):  # type: ignore[misc]
    """Hands rows to training workers in turn, up to the last one.

    Ray Train's default makes shares of equal size by holding rows back, and hands those out in runs. Here shares are
    equal anyway: every block holds one row, and their number is a multiple of the number of workers.
    """

    def configure(
        self, datasets: dict[str, Dataset], world_size: int, *_: Any, **__: Any
    ) -> list[dict[str, DataIterator]]:
        """One iterator of every dataset for each worker."""
        shares = {name: dataset.streaming_split(world_size, equal=False) for name, dataset in datasets.items()}
        return [{name: share[rank] for name, share in shares.items()} for rank in range(world_size)]


class _SingleRow(NumpyBatchCollateFn):  # type: ignore[misc]
    """Turns a row of arrays into tensors, without the axis that counts rows."""

    def __call__(self, batch: dict[str, ndarray]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.array(array[0])) for name, array in batch.items()}
