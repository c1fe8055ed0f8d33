"""Docker Compose for one machine with several GPUs: Ray's head, a worker with all GPUs, MLflow and its database.

Only the dashboard and MLflow have ports on the machine, both at its loopback address.
"""

from cluster.files import mlflow_server
from cluster.files.environment import (
    DASHBOARD_PORT,
    GCS_PORT,
    HOME,
    MLFLOW_PORT,
    environment,
    poster_command,
    shared_memory_gb,
    storage_environment,
)
from cluster.files.text import GITIGNORE, SERVER_SECRETS, Tree, document, make_image, make_secrets
from cluster.files_config import ClusterFilesConfig

FOLDER = "/run/secrets"
"""Where Compose puts secrets."""
TOKEN = "ray_auth_token"  # noqa: S105 - a file's name
CREDENTIALS = "mlflow_credentials"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
HEAD_STORE_BYTES = 500_000_000
"""The head's object store: next to nothing, as it does no work."""
COMMON: Tree = {"init": True, "restart": "unless-stopped", "security_opt": ["no-new-privileges:true"]}


def render(config: ClusterFilesConfig) -> dict[str, str]:
    """Compose's file."""
    text = document("Ray and MLflow on one machine with several GPUs.", steps(config), project(config))
    return {".gitignore": GITIGNORE, "compose.yaml": text}


def steps(config: ClusterFilesConfig) -> list[str]:
    """What to type, see cluster.files.steps."""
    own = () if config.tracking_uri else SERVER_SECRETS
    user, password = ("USER", "PASSWORD") if config.tracking_uri else ("admin", '"$(cat secrets/admin_password)"')
    ini = r"[mlflow]\nmlflow_tracking_username = %s\nmlflow_tracking_password = %s\n"
    return [
        make_image(config.image, push=False),
        *make_secrets(TOKEN, *own),
        f"printf '{ini}' {user} {password} > secrets/{CREDENTIALS}",
        "chmod 444 secrets/*  # for the containers' users; the folder keeps everybody else out",
        *storage_steps(config),
        "docker compose up --detach --wait",
        f"docker compose exec gpu {poster_command(config)}",
    ]


def storage_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that give access to the storage."""
    if on_disk(config):
        return [f"sudo install --directory --owner=1000 --group=1000 {config.storage}"]
    return [f"export {' '.join(KEYS)}  # set them before; Compose hands them on"]


def on_disk(config: ClusterFilesConfig) -> bool:
    """Whether storage is a folder of this machine."""
    return config.storage.startswith("/")


def project(config: ClusterFilesConfig) -> Tree:
    """Services, secrets and volumes."""
    services = {"head": head(config), "gpu": gpu(config)}
    names = [TOKEN, CREDENTIALS]
    volumes: Tree = {}
    if config.tracking_uri is None:
        services |= {"mlflow": mlflow(config), "database": database(config)}
        names += SERVER_SECRETS
        volumes = {"volumes": {"database": {}}}
    secrets = {name: {"file": f"./secrets/{name}"} for name in names}
    return {"name": config.name, "services": services, "secrets": secrets, **volumes}


def ray_service(config: ClusterFilesConfig, command: str, shared_memory: int) -> Tree:
    """What head and worker have in common; the token and MLflow's credentials are files."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": f"{FOLDER}/{TOKEN}"}
    settings = environment(config, config.tracking_uri or f"http://mlflow:{MLFLOW_PORT}")
    return {
        "image": config.image,
        "command": command,
        **COMMON,
        "cap_drop": ["ALL"],
        "environment": token | settings | keys(config),
        "secrets": [TOKEN, {"source": CREDENTIALS, "target": f"{HOME}/.mlflow/credentials"}],
        "shm_size": f"{shared_memory}gb",
        **folders(config),
    }


def keys(config: ClusterFilesConfig) -> dict[str, str]:
    """The object store's keys, out of the environment of whoever starts Compose."""
    return {} if on_disk(config) else {key: f"${{{key}:?export it}}" for key in KEYS}


def folders(config: ClusterFilesConfig) -> Tree:
    """The storage folder, at the same path everywhere."""
    return {"volumes": [f"{config.storage}:{config.storage}"]} if on_disk(config) else {}


def head(config: ClusterFilesConfig) -> Tree:
    """Ray's head, without work."""
    options = f"--port={GCS_PORT} --num-cpus=0 --num-gpus=0 --object-store-memory={HEAD_STORE_BYTES}"
    command = f"ray start --head --block --dashboard-host=0.0.0.0 {options}"
    return {
        **ray_service(config, command, shared_memory=1),
        "ports": [f"127.0.0.1:{DASHBOARD_PORT}:{DASHBOARD_PORT}"],
        "healthcheck": {"test": ["CMD", "ray", "health-check"], "interval": "10s", "start_period": "60s"},
    }


def gpu(config: ClusterFilesConfig) -> Tree:
    """The worker: all CPUs and as many GPUs as the config says. Jobs are typed into it."""
    store_bytes = config.gpu.memory_gb * 3 * 10**8
    command = f"ray start --block --address=head:{GCS_PORT} --object-store-memory={store_bytes}"
    service = ray_service(config, command, shared_memory_gb(config.gpu.memory_gb))
    service["environment"]["RAY_ADDRESS"] = "auto"
    device = {"driver": "nvidia", "count": config.gpu.gpus, "capabilities": ["gpu"]}
    return {
        **service,
        "depends_on": {"head": {"condition": "service_healthy"}},
        "deploy": {"resources": {"reservations": {"devices": [device]}}},
    }


def mlflow(config: ClusterFilesConfig) -> Tree:
    """The MLflow server."""
    command = mlflow_server.command(config, database="database", hosts=f"mlflow:{MLFLOW_PORT}", secrets=FOLDER)
    health = ["CMD", "wget", "--quiet", "--output-document=-", f"http://127.0.0.1:{MLFLOW_PORT}/health"]
    return {
        "image": config.image,
        "command": command,
        **COMMON,
        "cap_drop": ["ALL"],
        "environment": storage_environment(config) | keys(config),
        "secrets": list(SERVER_SECRETS),
        "ports": [f"127.0.0.1:{MLFLOW_PORT}:{MLFLOW_PORT}"],
        "depends_on": {"database": {"condition": "service_healthy"}},
        "healthcheck": {"test": health, "interval": "10s", "start_period": "120s"},
        **folders(config),
    }


def database(config: ClusterFilesConfig) -> Tree:
    """MLflow's PostgreSQL; no port of the machine leads to it."""
    return {
        "image": config.database_image,
        **COMMON,
        "environment": mlflow_server.database_environment(FOLDER),
        "secrets": ["database_password"],
        "volumes": [f"database:{mlflow_server.DATABASE_FOLDER}"],
        "healthcheck": {"test": ["CMD", "pg_isready", "--username=mlflow"], "interval": "5s", "start_period": "60s"},
    }
