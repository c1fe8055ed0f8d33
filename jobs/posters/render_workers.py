"""The workers that paint posters: how many there are, and what each has."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from cluster.ray_session import count_cpus, count_gpus, require_cpus
from pipelines.painting.probe import workers_on_a_gpu
from pipelines.painting.tile_worker import tile_workers
from pipelines.workers.functions import function_workers
from pipelines.workers.pool import WorkerPool


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderWorkers:
    """The workers that the cluster has room for, within a Ray session."""

    num_workers: int
    threads: int
    """CPUs of each."""
    gpus_per_worker: float
    """GPUs that each has, 0 for none."""

    @staticmethod
    def choose(num_workers: int | None, *, threads: int, gpu_share: float) -> "RenderWorkers":
        """As many as are asked for or, if that is left open, as the cluster has room for.

        Args:
            num_workers: how many; None for as many as the GPUs hold, or one per `threads` CPUs where there is none.
            threads: CPUs of each.
            gpu_share: share of a GPU for each, where there are GPUs.

        Raises:
            ValueError: if the cluster has no room for a worker.
        """
        require_cpus(threads, "a render worker")
        gpus = count_gpus()
        room = gpus * workers_on_a_gpu(gpu_share) or max(count_cpus() // threads, 1)
        return RenderWorkers(
            num_workers=num_workers or room, threads=threads, gpus_per_worker=gpu_share if gpus else 0.0
        )

    @contextmanager
    def pool(self) -> Iterator[WorkerPool]:
        """A pool of them. Where they have GPUs and leave CPUs, others without a GPU do what takes none."""
        painters = tile_workers(self.num_workers, threads=self.threads, gpus_per_worker=self.gpus_per_worker)
        spare = count_cpus() - self.num_workers * self.threads
        helpers = function_workers(spare) if self.gpus_per_worker and spare > 0 else None
        with closing(WorkerPool(painters, helpers)) as pool:
            yield pool
