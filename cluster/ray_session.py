"""Starts or joins Ray, which no other module does, and tells what the cluster has room for."""

import logging
import os
import resource
import secrets
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import ray
from ray.exceptions import RayError

from cluster.connection import ClusterConfig
from cluster.environment import AUTH_MODE_VARIABLE, TOKEN_VARIABLE, prepare, worker_variables
from cluster.private_ray import command_line_redacted, listening_at_loopback, max_resources, session_folder_argument

ANSWER_S = 10.0
"""So soon a cluster answers."""
MIN_LOGICAL_CPUS = 4
"""CPUs that Ray is told of at least: a machine with two cores still runs a trainer, its readers and a controller."""
OBJECT_STORE_FRACTION = 0.15
MAX_OBJECT_STORE_BYTES = 8e9
MIN_OPEN_FILES = 256
"""Files that Ray's processes hold open on a small machine. With fewer, Ray dies in the middle of the work."""
TOKEN_BYTES = 32
"""Of random numbers in the token of a local cluster."""


@contextmanager
def ray_session(config: ClusterConfig) -> Iterator[None]:
    """Join the cluster that the config names, or start one on this machine; leave or end it after the block.

    In a process that is connected to Ray already, this does nothing.

    Raises:
        ValueError: if there is no cluster at the address.
        RuntimeError: if the block ends by an error of Ray's own, such as a worker that died.
    """
    if ray.is_initialized():
        yield
        return
    prepare()
    address = config.address or os.environ.get("RAY_ADDRESS")
    with command_line_redacted():
        if address:
            _join(address)
        else:
            _start_local_cluster()
    try:
        yield
    except RayError as error:
        # Ray raises an error of a task as a type that is both RayError and the task's own: that one is passed on as is
        if isinstance(error, ValueError | OSError | RuntimeError):
            raise
        raise RuntimeError(f"a worker failed: {error}; the same command goes on from here") from error
    finally:
        ray.shutdown()


def require_cpus(needed: float, purpose: str) -> None:
    """Refuse work that would wait for CPUs forever.

    Raises:
        ValueError: if the whole cluster, grown as far as it may, has fewer CPUs.
    """
    available = _max_resource("CPU")
    if available < needed:
        raise ValueError(f"expected {needed:g} CPUs for {purpose}, got {available:g}; ask for fewer workers")


def count_cpus() -> int:
    """The number of CPUs that the cluster has or may grow to.

    For a machine alone this is the number of its cores, not MIN_LOGICAL_CPUS, of which Ray may have been told.
    """
    cpus = int(_max_resource("CPU"))
    is_one_machine = len(ray.nodes()) == 1 and cpus == int(ray.cluster_resources().get("CPU", 0))
    return min(cpus, os.cpu_count() or 1) if is_one_machine else cpus


def count_gpus() -> int:
    """The number of GPUs that the cluster has or may grow to."""
    return int(_max_resource("GPU"))


def is_on_loopback() -> bool:
    """Whether the cluster is this machine alone, and no other one can reach it."""
    return all(ip_address(node["NodeManagerAddress"]).is_loopback for node in ray.nodes())


def require_room(num_workers: int, resources: Mapping[str, float], purpose: str) -> None:
    """Refuse workers that would wait forever because no single machine has room for them.

    A cluster that may still grow is not refused: the size of its future machines is unknown.

    Args:
        num_workers: how many workers must run at the same time.
        resources: what each worker takes, by resource name. A worker takes all of it on one machine.
        purpose: what the workers are for, as the error says it.

    Raises:
        ValueError: if the running machines have room for fewer workers, and the cluster cannot grow.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_count_fitting(machine, resources) for machine in machines)
    may_grow = any(_max_resource(name) > ray.cluster_resources().get(name, 0) for name in resources)
    if room < num_workers and not may_grow:
        each = " and ".join(f"{amount:g} {name}" for name, amount in resources.items())
        raise ValueError(f"expected room for {num_workers} {purpose} of {each} each, got {room}; ask for fewer workers")


def _count_fitting(machine: Mapping[str, float], worker: Mapping[str, float]) -> int:
    """How many equal workers fit on a machine, by what it has and what each takes of every resource."""
    # the small number keeps the rounding of floats from losing a worker: 0.3 / 0.1 is below 3
    return min(int(machine.get(name, 0) / amount + 1e-6) for name, amount in worker.items())


def _max_resource(name: str) -> float:
    """How much of a resource the cluster has, or may grow to where an autoscaler starts machines."""
    return max(float(ray.cluster_resources().get(name, 0)), float(max_resources().get(name, 0)))


def _join(address: str) -> None:
    """Connect to a running cluster.

    Raises:
        ValueError: if there is none at the address.
    """
    runtime_env = {"env_vars": worker_variables()}
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=runtime_env)
    except (OSError, OverflowError, ValueError) as error:  # of a port beyond 65535, and of text that is no address
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a Ray cluster at {address}, got: {reason}; start it or leave it out") from error


def _knock(address: str) -> None:
    """Connect to the port of an address and hang up: Ray itself would wait for minutes where nobody listens.

    Raises:
        OSError: if nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():  # else it is "auto", for one
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()


def _start_local_cluster() -> None:
    """Start a cluster of this machine alone, which ends with this process. Other machines and users cannot reach it.

    Raises:
        OSError: if there is no folder for it that is this user's alone.
        ValueError: if a process may not open as many files as Ray needs.
    """
    _raise_open_files()
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    session_folder = os.environ.get("RAY_TMPDIR") or private_folder() / "ray"
    _make_token()
    with listening_at_loopback():
        ray.init(
            num_cpus=max(os.cpu_count() or 1, MIN_LOGICAL_CPUS),
            object_store_memory=int(min(memory_bytes * OBJECT_STORE_FRACTION, MAX_OBJECT_STORE_BYTES)),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **session_folder_argument(Path(session_folder)),
        )


def _raise_open_files() -> None:
    """Let this process, and those that it starts, open as many files as Ray needs.

    Raises:
        ValueError: if the system does not let it.
    """
    current, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < MIN_OPEN_FILES:
        raise ValueError(
            f"expected that a process may open {MIN_OPEN_FILES} files, got {most}; raise it: ulimit -n {MIN_OPEN_FILES}"
        )
    if current != resource.RLIM_INFINITY and current < MIN_OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MIN_OPEN_FILES, most))


def _make_token() -> None:
    """Give this process and those that it starts a token, unless the user has set one, or has switched tokens off.

    Without it, Ray would write one into the home folder, into a file that everybody may read.
    """
    if os.environ.get(AUTH_MODE_VARIABLE, "token") == "token":  # where it is not set, ray.init switches tokens on
        os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(TOKEN_BYTES))


def private_folder() -> Path:
    """A temporary folder that this user alone may enter. Below it, Ray lets everybody write.

    Raises:
        PermissionError: if somebody else has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"magic-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(
            f"expected a folder of this user alone at {folder}, got another; remove it, or name a folder in RAY_TMPDIR"
        )
    return folder
