"""The only place that starts or joins Ray."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._private.state import state
from ray.exceptions import RayError

from cluster.connection import ClusterConfig
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
    there = _most("CPU")
    if there < needed:
        raise ValueError(f"expected {needed:g} CPUs for {purpose}, got {there:g}; ask for fewer workers")


def count_cpus() -> int:
    """How many CPUs the cluster has: a machine by itself counts its cores, not what it was told to pretend."""
    there = int(_most("CPU"))
    alone = len(ray.nodes()) == 1 and there == int(ray.cluster_resources().get("CPU", 0))
    return min(there, os.cpu_count() or 1) if alone else there


def count_gpus() -> int:
    """How many GPUs the cluster has, or may get: machines that are not started yet count."""
    return int(_most("GPU"))


def require_places(needed: int, each: Mapping[str, float], purpose: str) -> None:
    """Refuse workers that would wait for ever, because no machine has room for them: a worker is not divided.

    Raises:
        ValueError: if all machines together have room for fewer. Of a cluster that grows there is no telling.
    """
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(min(int(node.get(name, 0) / amount + 1e-6) for name, amount in each.items()) for node in alive)
    grows = any(_most(name) > ray.cluster_resources().get(name, 0) for name in each)
    if room < needed and not grows:
        wanted = " and ".join(f"{amount:g} {name}" for name, amount in each.items())
        raise ValueError(f"expected room for {needed} {purpose} of {wanted} each, got {room}; ask for fewer workers")


def _most(resource: str) -> float:
    """How much of a resource the cluster has, or may get where an autoscaler starts machines as they are needed."""
    there = float(ray.cluster_resources().get(resource, 0))
    may_be = state.get_max_resources_from_cluster_config() or {}
    return max(there, float(may_be.get(resource, 0)))


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
