"""The only place that starts or joins Ray."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.exceptions import RayError

from cluster.config import ClusterConfig
from cluster.environment import for_workers, prepare

log = logging.getLogger(__name__)
MIN_LOGICAL_CPUS = 4  # one machine with two cores still has to hold a trainer, its readers and a controller
OBJECT_STORE_FRACTION = 0.15


@contextmanager
def ray_session(config: ClusterConfig) -> Iterator[None]:
    """Join the cluster that config names, or start one on this machine and end it afterwards.

    Within a process that is connected already, this changes nothing.

    Raises:
        ValueError: if there is no cluster at the address.
        RuntimeError: for whatever Ray says of work that was lost.
    """
    if ray.is_initialized():
        yield
        return
    prepare()
    address = config.address or os.environ.get("RAY_ADDRESS")
    try:
        if address:
            seen = {"env_vars": for_workers()}
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=seen)
        else:
            _start_here()
    except ConnectionError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a Ray cluster at {address}, got: {reason}; start it or leave it out") from error
    try:
        yield
    except RayError as error:
        if isinstance(error, ValueError | OSError | RuntimeError):  # a task's own, which Ray passes on as both
            raise
        raise RuntimeError(f"a worker failed: {error}; the same command goes on from here") from error
    finally:
        ray.shutdown()


def require_cpus(needed: float, purpose: str) -> None:
    """Refuse a job that the cluster could never start, instead of letting it wait for ever.

    Raises:
        ValueError: if the whole cluster has fewer CPUs than that.
    """
    there = ray.cluster_resources().get("CPU", 0)
    if there < needed:
        raise ValueError(f"expected {needed:g} CPUs for {purpose}, got {there:g}; ask for fewer workers")


def count_cpus() -> int:
    """How many CPUs the cluster has: a machine by itself counts its cores, not what it was told to pretend."""
    there = int(ray.cluster_resources().get("CPU", 0))
    return min(there, os.cpu_count() or 1) if len(ray.nodes()) == 1 else there


def count_gpus() -> int:
    """How many GPUs the cluster has."""
    return int(ray.cluster_resources().get("GPU", 0))


def _start_here() -> None:
    # the sockets below this folder allow about 40 characters of it
    folder = os.environ.get("RAY_TMPDIR") or str(Path(tempfile.gettempdir()) / "ray")
    cpus = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    ray.init(
        num_cpus=max(cpus, MIN_LOGICAL_CPUS),
        object_store_memory=int(min(memory * OBJECT_STORE_FRACTION, 8e9)),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=folder,
    )
