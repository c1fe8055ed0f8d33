"""The file for Ray's cluster launcher on AWS: `ray up` starts the head, which starts and ends the workers."""

from cluster.files.container_environment import (
    DRIVER_RESOURCE,
    DRIVERS_PER_MACHINE,
    GCS_PORT,
    HOME,
    ray_variables,
    token_variables,
)
from cluster.files.files_config import ClusterFilesConfig, WorkersConfig, require_bucket
from cluster.files.shell_commands import build_image, submit_first_poster
from cluster.files.text import Tree, document

TOKEN_FILE = "~/.ray/auth_token"  # noqa: S105 - the name of a file
MLFLOW_CREDENTIALS_FILE = "~/.mlflow/credentials"
DISK_GB = 200
"""Size of the root disk. The image takes 10 GB, and Ray's object store spills to this disk."""
START_COMMAND = "ulimit -n 65536; ray start --object-manager-port=8076 --disable-usage-stats"


def render(config: ClusterFilesConfig) -> dict[str, str]:
    """The launcher's file.

    Raises:
        ValueError: if the config names no MLflow server, or storage is no bucket.
    """
    if config.tracking_uri is None:
        raise ValueError("expected an MLflow server for aws, got none; name it with --tracking-uri")
    require_bucket("aws", config)
    return {"cluster.yaml": document("a Ray cluster on AWS.", steps(config), launcher(config, config.tracking_uri))}


def steps(config: ClusterFilesConfig) -> list[str]:
    """The commands to type, see cluster.files.targets.steps."""
    storage = f"read and write {config.storage}"
    profile = f"# IAM instance profile {config.name}"
    return [
        build_image(config.image, push=True),
        f"{profile}-head may: run, tag, describe and terminate EC2 instances, ssm:GetParameters, {storage},",
        f"#   and pass the role of {config.name}-worker. {profile[2:]}-worker may: {storage}",
        f"(umask 077; ray get-auth-token --generate > /dev/null)  # makes {TOKEN_FILE}, which ray up copies",
        f"${{EDITOR:-vi}} {MLFLOW_CREDENTIALS_FILE}  # [mlflow], mlflow_tracking_username=, mlflow_tracking_password=",
        "ray up cluster.yaml  # opens port 22 to all addresses, for Ray's key; provider.security_group can narrow it",
        "ray dashboard cluster.yaml &  # a tunnel: the dashboard listens at the head's loopback alone",
        submit_first_poster(config),
        "ray down cluster.yaml",
    ]


def launcher(config: ClusterFilesConfig, tracking_uri: str) -> Tree:
    """The launcher's config. It states every list of commands, even if empty: Ray's defaults install software that the
    image contains already.
    """
    return {
        "cluster_name": config.name,
        "max_workers": config.gpu.max_workers + config.data.max_workers,
        "idle_timeout_minutes": config.idle_timeout_s / 60,
        "provider": {"type": "aws", "region": config.region, "cache_stopped_nodes": False},
        "auth": {"ssh_user": "ubuntu"},
        "docker": docker(config, tracking_uri),
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 0, "GPU": 0}, "node_config": head_machine(config)},
            "gpu": worker_type(config, config.gpu, {}),
            "data": worker_type(config, config.data, {DRIVER_RESOURCE: DRIVERS_PER_MACHINE}),
        },
        "file_mounts": {TOKEN_FILE: TOKEN_FILE, MLFLOW_CREDENTIALS_FILE: MLFLOW_CREDENTIALS_FILE},
        "initialization_commands": [],
        "setup_commands": [],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": ["ray stop", head_start()],
        "worker_start_ray_commands": ["ray stop", f"{START_COMMAND} --address=$RAY_HEAD_IP:{GCS_PORT}"],
    }


def head_start() -> str:
    """The command that starts Ray on the head. The head runs no tasks, and only a tunnel reaches its dashboard."""
    options = f"--head --port={GCS_PORT} --num-cpus=0 --num-gpus=0 --dashboard-host=127.0.0.1"
    return f"{START_COMMAND} {options} --autoscaling-config=~/ray_bootstrap_config.yaml"


def docker(config: ClusterFilesConfig, tracking_uri: str) -> Tree:
    """The container that Ray runs in on every machine."""
    variables = token_variables(TOKEN_FILE.replace("~", HOME)) | ray_variables(config, tracking_uri)
    gpu_variables = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    return {
        "image": config.image,
        "container_name": config.name,
        "pull_before_run": True,
        "run_options": ["--ulimit=nofile=65536:65536", *(f"--env={key}={value}" for key, value in variables.items())],
        "worker_run_options": [f"--env={key}={value}" for key, value in gpu_variables.items()],
    }


def head_machine(config: ClusterFilesConfig) -> Tree:
    """The head's machine. Its role may start and end other machines."""
    return machine(config, config.head.instance_type, f"{config.name}-head")


def worker_type(config: ClusterFilesConfig, group: WorkersConfig, resources: dict[str, int]) -> Tree:
    """A group of equal workers that grows and shrinks between its limits. Ray detects their CPUs and GPUs."""
    node = machine(config, group.instance_type, f"{config.name}-worker")
    if group.spot:
        node["InstanceMarketOptions"] = {"MarketType": "spot"}
    sizes = {"min_workers": group.min_workers, "max_workers": group.max_workers}
    return {**sizes, "resources": resources, "node_config": node}


def machine(config: ClusterFilesConfig, instance_type: str, profile: str) -> Tree:
    """An EC2 instance. Its rights come from an IAM role, not from keys."""
    disk = {"VolumeSize": DISK_GB, "VolumeType": "gp3", "Encrypted": True}
    return {
        "InstanceType": instance_type,
        "ImageId": config.ami,
        "IamInstanceProfile": {"Name": profile},
        "MetadataOptions": {"HttpTokens": "required"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": disk}],
    }
