"""Every private name of Ray that `cluster` uses, each with its reason and the public API that would replace it.

No other module of `cluster` imports one. A new release of Ray may move or change these names without notice;
tests/cluster/test_private_ray.py then fails and says which.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray._private import ray_constants, utils
from ray._private.state import state

from magic.redaction import redacted

VERBOSE_LOGGERS = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
"""Names of the loggers that report each step of a connection and of an upload at level INFO.

Needed: `magic submit` shows the log of the job, not that of Ray's client. The names are those of modules that Ray does
not document. Public replacement: an argument of ray.job_submission.JobSubmissionClient for the level, as ray.init has
in `logging_level`; there is none in Ray 2.60.
"""


def max_resources() -> dict[str, float]:
    """The most that the cluster may ever have of each resource, by name; empty unless it is configured to grow.

    Needed: an autoscaler starts machines only when work waits for them, and the public ray.cluster_resources() counts
    machines that run. Without this, a cluster that has shrunk to its head would refuse every command.
    Private: ray._private.state.state.get_max_resources_from_cluster_config, which Ray Train calls, too.
    Public replacement: a function in ray.autoscaler.sdk that tells these limits; there is none in Ray 2.60.
    """
    return dict(state.get_max_resources_from_cluster_config() or {})


def session_folder_argument(folder: Path) -> dict[str, str]:
    """The keyword argument of ray.init by which Ray keeps its sessions, with their sockets, in a folder.

    Needed: a socket's path has at most 107 characters, of which Ray's own part leaves about 40 for the folder. A user
    whose temporary folder has a longer path names a short one in RAY_TMPDIR, which is then used as it is.
    Private: the keyword `_temp_dir`, one of the "hidden / experimental options" in the documentation of ray.init.
    Public replacement: a public argument of ray.init, like the option --temp-dir of `ray start`; there is none in Ray
    2.60.
    """
    return {"_temp_dir": str(folder)}


@contextmanager
def listening_at_loopback() -> Iterator[None]:
    """Within the block, ray.init starts a cluster whose processes listen at the loopback address alone.

    Needed: otherwise each of them listens at all addresses of the machine, or at the one that other machines know.
    Private: ray._private.ray_constants.ENABLE_RAY_CLUSTER. Where it is false, as on macOS, Ray takes the loopback
    address for the machine's own, and its servers then listen there.
    Public replacement: an argument of ray.init for that address. In Ray 2.60, `_node_ip_address="127.0.0.1"` is turned
    into the address that other machines know, and RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 is read during the import, when
    it is not known yet whether the process will join a cluster of several machines.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def command_line_redacted() -> Iterator[None]:
    """Within the block, ray.init tells the cluster this process' command line without the credentials in it.

    Needed: all users of the cluster see the command lines of those who are connected, and its head logs them.
    Private: ray._private.utils.get_entrypoint_name, which ray.init calls.
    Public replacement: an argument of ray.init for that name; there is none in Ray 2.60.
    """
    before = utils.get_entrypoint_name
    utils.get_entrypoint_name = lambda: redacted(before())
    try:
        yield
    finally:
        utils.get_entrypoint_name = before
