"""An MLflow server with basic auth on Kubernetes, and its PostgreSQL. Both can be reached within the cluster alone."""

from cluster.files.environment import MLFLOW_PORT, storage_environment
from cluster.files.kubernetes import CONTAINER_SECURITY, metadata, pod_security, resources, variables
from cluster.files.text import SERVER_SECRETS, Tree
from cluster.files_config import ClusterFilesConfig

DATABASE_PORT = 5432
DATABASE_UID = 999
"""The user postgres of the official image."""
DATABASE_FOLDER = "/var/lib/postgresql/data"
SECRETS_FOLDER = "/etc/magic-secrets"
LOCAL_HOSTS = f"localhost:{MLFLOW_PORT},127.0.0.1:{MLFLOW_PORT}"
"""What a browser calls the server by, at the near end of a tunnel."""


def name(config: ClusterFilesConfig) -> str:
    """The server's name, which is also its host name."""
    return f"{config.name}-mlflow"


def uri(config: ClusterFilesConfig) -> str:
    """Where the cluster's pods find the server."""
    return f"http://{name(config)}:{MLFLOW_PORT}"


def objects(config: ClusterFilesConfig) -> list[Tree]:
    """Everything the server consists of."""
    database = f"{name(config)}-database"
    return [
        service(config, database, DATABASE_PORT),
        stateful_set(config, database),
        service(config, name(config), MLFLOW_PORT),
        deployment(config, database),
    ]


def command(config: ClusterFilesConfig, *, database: str, hosts: str, secrets: str) -> list[str]:
    """How a container of the image becomes the server; see cluster.tracking.server."""
    return [
        "python",
        "-m",
        "cluster.tracking.server",
        f"--database=postgresql+psycopg://mlflow@{database}:{DATABASE_PORT}/mlflow",
        f"--artifacts={config.storage}/mlflow",
        f"--secrets={secrets}",
        f"--allowed-hosts={hosts},{LOCAL_HOSTS}",
        "--host=0.0.0.0",
        f"--port={MLFLOW_PORT}",
    ]


def database_environment(folder: str) -> dict[str, str]:
    """Settings of the PostgreSQL image; the password is in a file of the folder."""
    return {
        "POSTGRES_USER": "mlflow",
        "POSTGRES_DB": "mlflow",
        "POSTGRES_PASSWORD_FILE": f"{folder}/database_password",
        "PGDATA": f"{DATABASE_FOLDER}/pgdata",
    }


def service(config: ClusterFilesConfig, of: str, port: int) -> Tree:
    """A name within the cluster."""
    spec = {"type": "ClusterIP", "selector": {"app": of}, "ports": [{"port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(config, of), "spec": spec}


def stateful_set(config: ClusterFilesConfig, database: str) -> Tree:
    """PostgreSQL and its disk."""
    ready = {"exec": {"command": ["pg_isready", "--username=mlflow"]}, "periodSeconds": 5}
    container = {
        "name": "postgres",
        "image": config.database_image,
        "env": variables(database_environment(SECRETS_FOLDER)),
        "ports": [{"containerPort": DATABASE_PORT}],
        "readinessProbe": ready,
        "resources": resources(cpus="500m", memory="1Gi"),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "data", "mountPath": DATABASE_FOLDER}, secrets_mount()],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{config.database_gb}Gi"}},
        },
    }
    spec = {
        "serviceName": database,
        "replicas": 1,
        "selector": {"matchLabels": {"app": database}},
        "template": pod(config, database, container, DATABASE_UID, ("database_password",)),
        "volumeClaimTemplates": [claim],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(config, database), "spec": spec}


def deployment(config: ClusterFilesConfig, database: str) -> Tree:
    """The server. It listens at its pod's address; the service in front of it has none outside the cluster."""
    own = name(config)
    hosts = f"{own}:{MLFLOW_PORT},{own}.{config.namespace}.svc*:{MLFLOW_PORT}"
    health = {"httpGet": {"path": "/health", "port": MLFLOW_PORT}, "periodSeconds": 10}
    container = {
        "name": "mlflow",
        "image": config.image,
        "command": command(config, database=database, hosts=hosts, secrets=SECRETS_FOLDER),
        "env": variables(storage_environment(config)),
        "envFrom": [{"secretRef": {"name": f"{config.name}-storage", "optional": True}}],
        "ports": [{"containerPort": MLFLOW_PORT}],
        "startupProbe": {**health, "failureThreshold": 30},
        "readinessProbe": health,
        "livenessProbe": {**health, "timeoutSeconds": 5},
        "resources": resources(cpus="1", memory="2Gi"),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [secrets_mount()],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two servers at once would both change the database's tables
        "selector": {"matchLabels": {"app": own}},
        "template": pod(config, own, container, None, SERVER_SECRETS),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(config, own), "spec": spec}


def secrets_mount() -> Tree:
    """Where a container finds its secrets."""
    return {"name": "secrets", "mountPath": SECRETS_FOLDER, "readOnly": True}


def pod(config: ClusterFilesConfig, app: str, container: Tree, uid: int | None, secrets: tuple[str, ...]) -> Tree:
    """A pod with some of the server's secrets as files."""
    items = [{"key": key, "path": key} for key in secrets]
    volume = {"secretName": f"{name(config)}-server", "defaultMode": 0o440, "items": items}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": pod_security() if uid is None else pod_security(uid),
            "containers": [container],
            "volumes": [{"name": "secrets", "secret": volume}],
        },
    }
