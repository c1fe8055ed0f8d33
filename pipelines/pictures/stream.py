"""The stream of training batches: numbers -> crops -> Ray Data -> Batch on the worker."""

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
from ray.data._internal.datasource.range_datasource import RangeDatasource
from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.data.collate_fn import NumpyBatchCollateFn
from ray.train import DataConfig

from magic.training.batch import Batch
from pipelines.pictures.crops import draw_batch
from pipelines.pictures.settings import CropConfig
from pipelines.pictures.sources import Source

TASK_BYTES = 64_000_000  # crops made by one task: enough to hide what a task costs, little to wait for
SCHEDULER_PAUSE_S = 0.01


def batch_dataset(
    content: Source | None, style: Source, config: CropConfig, *, first: int, count: int, task_cpus: float = 1.0
) -> Dataset:
    """Training batches number first, first+1, ... as a dataset of one row each.

    A row depends on its number alone, so neither the number of tasks nor a restart changes any crop, and a
    resumed run begins at the batch after its checkpoint.

    Args:
        content: content pictures, none for unguided collages.
        style: style pictures.
        config: sizes and seed.
        first: number of the first batch.
        count: how many batches.
        task_cpus: CPUs of each task that crops.
    """
    row_bytes = 3 * config.patch_px**2 * config.batch_size * (config.num_templates + 2)
    rows_per_task = max(min(TASK_BYTES // row_bytes, 64), 1)
    num_tasks = max(ceil(count / rows_per_task), 1)  # a stream of no rows is a task that makes none
    sources = ray.put((content, style))

    def crop_batches(tasks: dict[str, ndarray]) -> Iterator[dict[str, Any]]:
        # each picture is fetched once per task, not once per crop: that costs as much as a hundred crops
        content, style = (source and _Remembering(source, config.pool_pictures) for source in ray.get(sources))
        for task in tasks["id"].tolist():
            for number in range(task * rows_per_task, min((task + 1) * rows_per_task, count)):
                batch = draw_batch(content, style, first + number, config)
                yield {name: array[None] for name, array in batch.items()} | {"number": np.array([first + number])}

    numbers = RangeDatasource(n=num_tasks, block_format="arrow", column_name="id")  # ray.data.range knows no num_cpus
    tasks = ray.data.read_datasource(numbers, override_num_blocks=num_tasks, num_cpus=task_cpus)
    pool = TaskPoolStrategy(config.data_workers)
    return tasks.map_batches(crop_batches, batch_size=None, compute=pool, num_cpus=task_cpus)


class _Remembering:
    """A source that keeps the pictures it fetched last."""

    def __init__(self, source: Source, pictures: int) -> None:
        self.sizes, self.shares = source.sizes, source.shares
        self.get = lru_cache(pictures)(source.get)


class _Breathe(ExecutionCallback):  # type: ignore[misc]
    """Lets Ray Data's scheduler rest between two looks at its tasks.

    Whenever the training is slower than the cropping, all its buffers are full and it looks without a pause, on a
    core that two-core machines need for the training. benchmarks/data_stream.py measures what the pause gives and
    what it takes.
    """

    def on_execution_step(self, executor: object) -> None:
        time.sleep(SCHEDULER_PAUSE_S)


def keep_order() -> None:
    """Make Ray Data deal rows out in the order of their numbers; call before a dataset is made.

    Blocks of one row each (their size limit is passed by any row) are dealt to training workers in turn, so
    that worker r of N gets rows r, r+N, ... With larger blocks a worker would get runs of rows, and a resumed
    run would skip some and repeat others.
    """
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1
    context.custom_execution_callback_classes = [_Breathe]
    context.enable_progress_bars = False


def read_batches(stream: DataIterator) -> Iterator[tuple[torch.Tensor, Batch]]:
    """Batches with their numbers, made ready, and brought to the device, while the step before them runs.

    The number is a tensor too: on a GPU, looking at it waits for all work before it.
    """
    for row in stream.iter_torch_batches(batch_size=1, prefetch_batches=2, collate_fn=_OneBatch()):
        yield row.pop("number"), Batch(**row)


class DealInTurn(DataConfig):  # type: ignore[misc]
    """Deals rows to training workers in turn to the very last.

    Ray Train's own way makes shares of equal size by holding some rows back, and deals those out in runs. Here
    shares are equal anyway: rows come one to a block, and their number is a multiple of the workers'.
    """

    def configure(
        self, datasets: dict[str, Dataset], world_size: int, *_: Any, **__: Any
    ) -> list[dict[str, DataIterator]]:
        """One iterator of every dataset for each worker."""
        shares = {name: dataset.streaming_split(world_size, equal=False) for name, dataset in datasets.items()}
        return [{name: share[rank] for name, share in shares.items()} for rank in range(world_size)]


class _OneBatch(NumpyBatchCollateFn):  # type: ignore[misc]
    """A row of arrays to tensors without the row's own axis."""

    def __call__(self, batch: dict[str, ndarray]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.array(array[0])) for name, array in batch.items()}
