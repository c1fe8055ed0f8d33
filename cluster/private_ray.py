"""Every private name of Ray that `cluster` uses, each with its reason and the public API that would replace it.

No other module of `cluster` imports one. A new release of Ray may move or change these names without notice;
tests/cluster/test_private_ray.py then fails and says which.
"""

from pathlib import Path

from ray._private.state import state

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
