"""Settings that every Ray process of a cluster gets. No secrets."""

from cluster.environment import EVERYWHERE, HERE
from cluster.files_config import ClusterFilesConfig

MLFLOW_PORT = 5000
DASHBOARD_PORT = 8265
GCS_PORT = 6379
HOME = "/home/magic"
"""Home of the image's user, see the Dockerfile."""
UID = 1000
"""Its number, and its group's."""
DRIVER = "driver"
"""What data machines have and a job's own process asks for: it must not run on the head, nor on a spot machine."""
DRIVERS_PER_MACHINE = 4
SUBMIT = f"magic submit --address http://127.0.0.1:{DASHBOARD_PORT} --driver-resource {DRIVER}"


def environment(config: ClusterFilesConfig, tracking_uri: str) -> dict[str, str]:
    """Ray's, the object store's and MLflow's settings."""
    return HERE | EVERYWHERE | storage_environment(config) | {"MLFLOW_TRACKING_URI": tracking_uri}


def storage_environment(config: ClusterFilesConfig) -> dict[str, str]:
    """Where the object store is."""
    settings = {"AWS_DEFAULT_REGION": config.region}
    if config.endpoint:  # most of the others know nothing of the newer checksums
        settings |= {
            "AWS_ENDPOINT_URL": config.endpoint,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED",
        }
    return settings


def first_poster(config: ClusterFilesConfig) -> str:
    """How to submit a job to begin with."""
    return f"{SUBMIT} {example(config)}"


def poster_command(config: ClusterFilesConfig) -> str:
    """What the RayJob runs."""
    return config.command or f"magic {example(config)}"


def example(config: ClusterFilesConfig) -> str:
    """A poster, as options of `magic`."""
    storage = config.storage
    picture = f"--content {storage}/content.jpg --width 8000 --out {storage}/posters/first"
    return f"poster --model models:/magic-demo@current {picture}"


def shared_memory_gb(memory_gb: int) -> int:
    """Room for Ray's object store, which takes 0.3 of the memory, and a little more."""
    return -(-memory_gb * 35 // 100)
