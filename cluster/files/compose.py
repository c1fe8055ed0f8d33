"""The file for Docker Compose on one machine with several GPUs: Ray's head, one worker, MLflow and its database.

Of these, only Ray's dashboard and MLflow have ports on the machine, both at its loopback address.
"""

from cluster.files import mlflow_deployment
from cluster.files.container_environment import (
    DASHBOARD_PORT,
    GCS_PORT,
    HOME,
    MLFLOW_PORT,
    ray_variables,
    shared_memory_gb,
    storage_variables,
    token_variables,
)
from cluster.files.files_config import ClusterFilesConfig
from cluster.files.shell_commands import SERVER_SECRETS, build_image, create_secrets, job_command, pin_database
from cluster.files.text import GITIGNORE, Tree, document

SECRETS_FOLDER = "/run/secrets"
"""Folder of a container in which Compose puts secrets."""
TOKEN = "ray_auth_token"  # noqa: S105 - the name of a secret
CREDENTIALS = "mlflow_credentials"
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
HEAD_STORE_BYTES = 500_000_000
"""Size of the head's object store; small, because the head runs no tasks."""
COMMON_SETTINGS: Tree = {
    "init": True,
    "restart": "unless-stopped",
    "security_opt": ["no-new-privileges:true"],
    "cap_drop": ["ALL"],
}
DATABASE_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
"""By which PostgreSQL's image gives its folder to the user postgres, and becomes that user."""
MAX_RAY_TASKS, MAX_SERVER_TASKS = 32_768, 1024
"""Processes and threads of a container. Each of Ray's processes has some dozens of threads."""


def render(config: ClusterFilesConfig) -> dict[str, str]:
    """Compose's file, and one that keeps the secrets out of git."""
    text = document("Ray and MLflow on one machine with several GPUs.", steps(config), project(config))
    return {".gitignore": GITIGNORE, "compose.yaml": text}


def steps(config: ClusterFilesConfig) -> list[str]:
    """The commands to type, see cluster.files.targets.steps."""
    server_secrets = () if config.tracking_uri else SERVER_SECRETS
    user, password = ("USER", "PASSWORD") if config.tracking_uri else ("admin", '"$(cat secrets/admin_password)"')
    ini = r"[mlflow]\nmlflow_tracking_username = %s\nmlflow_tracking_password = %s\n"
    return [
        *pin_database(config),
        build_image(config.image, push=False),
        *create_secrets(TOKEN, *server_secrets),
        f"printf '{ini}' {user} {password} > secrets/{CREDENTIALS}",
        "chmod 444 secrets/*  # for the containers' users; the folder keeps everybody else out",
        *storage_steps(config),
        "docker compose up --detach --wait",
        f"docker compose exec gpu {job_command(config)}",
    ]


def storage_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that give the containers access to the storage."""
    if on_disk(config):
        return [f"sudo install --directory --owner=1000 --group=1000 {config.storage}"]
    return [f"export {' '.join(KEY_VARIABLES)}  # set them before; Compose hands them on"]


def on_disk(config: ClusterFilesConfig) -> bool:
    """Whether storage is a folder of the machine, not a bucket."""
    return config.storage.startswith("/")


def project(config: ClusterFilesConfig) -> Tree:
    """The Compose project: its services, secrets and volumes."""
    services = {"head": head(config), "gpu": gpu(config)}
    names = [TOKEN, CREDENTIALS]
    volumes: Tree = {}
    if config.tracking_uri is None:
        services |= {"mlflow": mlflow(config), "database": database(config)}
        names += SERVER_SECRETS
        volumes = {"volumes": {"database": {}}}
    secrets = {name: {"file": f"./secrets/{name}"} for name in names}
    return {"name": config.name, "services": services, "secrets": secrets, **volumes}


def limits(cpus: int | None, memory_gb: int, tasks: int) -> Tree:
    """The most that a container gets of the machine; as many CPUs as there are, where none are named."""
    named = {} if cpus is None else {"cpus": str(cpus)}
    return {"resources": {"limits": named | {"memory": f"{memory_gb}g", "pids": tasks}}}


def ray_service(config: ClusterFilesConfig, command: str, shared_memory: int) -> Tree:
    """The settings that head and worker share. They read the token and MLflow's credentials from files."""
    token = token_variables(f"{SECRETS_FOLDER}/{TOKEN}")
    variables = ray_variables(config, config.tracking_uri or f"http://mlflow:{MLFLOW_PORT}")
    return {
        "image": config.image,
        "command": command,
        **COMMON_SETTINGS,
        "environment": token | variables | storage_keys(config),
        "secrets": [TOKEN, {"source": CREDENTIALS, "target": f"{HOME}/.mlflow/credentials"}],
        "shm_size": f"{shared_memory}gb",
        **storage_volume(config),
    }


def storage_keys(config: ClusterFilesConfig) -> dict[str, str]:
    """The object store's keys, which Compose takes from the environment of the user who starts it."""
    return {} if on_disk(config) else {key: f"${{{key}:?export it}}" for key in KEY_VARIABLES}


def storage_volume(config: ClusterFilesConfig) -> Tree:
    """The storage folder of the machine, at the same path in a container; nothing for a bucket."""
    return {"volumes": [f"{config.storage}:{config.storage}"]} if on_disk(config) else {}


def head(config: ClusterFilesConfig) -> Tree:
    """Ray's head, which runs no tasks."""
    options = f"--port={GCS_PORT} --num-cpus=0 --num-gpus=0 --object-store-memory={HEAD_STORE_BYTES}"
    command = f"ray start --head --block --dashboard-host=0.0.0.0 {options}"
    return {
        **ray_service(config, command, shared_memory=1),
        "deploy": limits(config.head.cpus, config.head.memory_gb, MAX_RAY_TASKS),
        "ports": [f"127.0.0.1:{DASHBOARD_PORT}:{DASHBOARD_PORT}"],
        "healthcheck": {"test": ["CMD", "ray", "health-check"], "interval": "10s", "start_period": "60s"},
    }


def gpu(config: ClusterFilesConfig) -> Tree:
    """The worker, with all CPUs and as many GPUs as the config says. Users run their commands in it."""
    store_bytes = config.gpu.memory_gb * 3 * 10**8
    command = f"ray start --block --address=head:{GCS_PORT} --object-store-memory={store_bytes}"
    service = ray_service(config, command, shared_memory_gb(config.gpu.memory_gb))
    service["environment"]["RAY_ADDRESS"] = "auto"
    device = {"driver": "nvidia", "count": config.gpu.gpus, "capabilities": ["gpu"]}
    deploy = limits(None, config.gpu.memory_gb, MAX_RAY_TASKS)
    deploy["resources"]["reservations"] = {"devices": [device]}
    return {**service, "depends_on": {"head": {"condition": "service_healthy"}}, "deploy": deploy}


def mlflow(config: ClusterFilesConfig) -> Tree:
    """The MLflow server."""
    command = mlflow_deployment.server_command(
        config, database="database", hosts=f"mlflow:{MLFLOW_PORT}", secrets=SECRETS_FOLDER
    )
    health = ["CMD", "wget", "--quiet", "--output-document=-", f"http://127.0.0.1:{MLFLOW_PORT}/health"]
    return {
        "image": config.image,
        "command": command,
        **COMMON_SETTINGS,
        "environment": storage_variables(config) | storage_keys(config),
        "deploy": limits(1, 2, MAX_SERVER_TASKS),
        "secrets": list(SERVER_SECRETS),
        "ports": [f"127.0.0.1:{MLFLOW_PORT}:{MLFLOW_PORT}"],
        "depends_on": {"database": {"condition": "service_healthy"}},
        "healthcheck": {"test": health, "interval": "10s", "start_period": "120s"},
        **storage_volume(config),
    }


def database(config: ClusterFilesConfig) -> Tree:
    """MLflow's database, PostgreSQL. It has no port on the machine."""
    return {
        "image": config.database_image,
        **COMMON_SETTINGS,
        "cap_add": DATABASE_CAPABILITIES,
        "deploy": limits(1, 1, MAX_SERVER_TASKS),
        "environment": mlflow_deployment.database_variables(SECRETS_FOLDER),
        "secrets": ["database_password"],
        "volumes": [f"database:{mlflow_deployment.DATABASE_FOLDER}"],
        "healthcheck": {"test": ["CMD", "pg_isready", "--username=mlflow"], "interval": "5s", "start_period": "60s"},
    }
