"""Facts of the containers that Ray runs in: their environment variables, ports, user and shared memory. No secrets."""

from cluster.environment import AUTH_MODE_VARIABLE, DRIVER_VARIABLES, TOKEN_PATH_VARIABLE, WORKER_VARIABLES
from cluster.files.files_config import ClusterFilesConfig

MLFLOW_PORT = 5000
DASHBOARD_PORT = 8265
GCS_PORT = 6379
HOME = "/home/magic"
"""Home folder of the image's user, see the Dockerfile."""
UID = 1000
"""Number of the image's user and of its group, see the Dockerfile."""
DRIVER_RESOURCE = "driver"
"""Ray resource of the data machines. A job's own process asks for one, so it runs neither on the head nor on a GPU
machine that may be taken away."""
DRIVERS_PER_MACHINE = 4


def ray_variables(config: ClusterFilesConfig, tracking_uri: str) -> dict[str, str]:
    """Environment variables of every container that runs Ray: for Ray, the object store and MLflow."""
    variables = DRIVER_VARIABLES | WORKER_VARIABLES | storage_variables(config)
    return variables | {"MLFLOW_TRACKING_URI": tracking_uri}


def token_variables(path: str) -> dict[str, str]:
    """Environment variables by which Ray reads the cluster's token from a file."""
    return {AUTH_MODE_VARIABLE: "token", TOKEN_PATH_VARIABLE: path}


def storage_variables(config: ClusterFilesConfig) -> dict[str, str]:
    """Environment variables that tell clients where the object store is."""
    variables = {"AWS_DEFAULT_REGION": config.region}
    if config.endpoint:  # most object stores other than AWS do not know the newer checksums
        variables |= {
            "AWS_ENDPOINT_URL": config.endpoint,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED",
        }
    return variables


def shared_memory_gb(memory_gb: int) -> int:
    """GiB of shared memory for a machine with that much memory, rounded up.

    Ray's object store, which lies there, takes 0.3 of the memory; 0.35 leaves some room.
    """
    return -(-memory_gb * 35 // 100)
