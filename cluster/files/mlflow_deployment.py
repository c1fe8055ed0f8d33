"""The MLflow server and its PostgreSQL database on Kubernetes. Nothing outside the Kubernetes cluster reaches them.

`compose` uses the same commands and settings for its containers.
"""

from cluster.files.container_environment import MLFLOW_PORT, storage_variables
from cluster.files.files_config import ClusterFilesConfig
from cluster.files.kubernetes import CONTAINER_SECURITY, metadata, pod_security, resources, variables
from cluster.files.shell_commands import SERVER_SECRETS
from cluster.files.text import Tree

DATABASE_PORT = 5432
DATABASE_UID = 999
"""Number of the user postgres in the official image."""
DATABASE_FOLDER = "/var/lib/postgresql/data"
"""Folder of the official image that holds the data, up to version 17."""
SECRETS_FOLDER = "/etc/magic-secrets"
LOCAL_HOSTS = f"localhost:{MLFLOW_PORT},127.0.0.1:{MLFLOW_PORT}"
"""The server's names for a browser at the near end of a tunnel."""


def name(config: ClusterFilesConfig) -> str:
    """Name of the server's Kubernetes objects, which is also its host name."""
    return f"{config.name}-mlflow"


def database_name(config: ClusterFilesConfig) -> str:
    """Name of the database's Kubernetes objects, which is also its host name."""
    return f"{name(config)}-database"


def uri(config: ClusterFilesConfig) -> str:
    """The server's address for the pods of the cluster."""
    return f"http://{name(config)}:{MLFLOW_PORT}"


def objects(config: ClusterFilesConfig) -> list[Tree]:
    """All Kubernetes objects of the server and its database."""
    database = database_name(config)
    return [
        service(config, database, DATABASE_PORT),
        stateful_set(config, database),
        service(config, name(config), MLFLOW_PORT),
        deployment(config, database),
    ]


def server_command(config: ClusterFilesConfig, *, database: str, hosts: str, secrets: str) -> list[str]:
    """The command by which a container of the image becomes the server, see cluster.tracking.serve.

    Args:
        config: names the storage of the artifacts.
        database: host name of the database.
        hosts: the names, with ports, that clients call the server by; LOCAL_HOSTS are added.
        secrets: folder of the container with SERVER_SECRETS.
    """
    return [
        "python",
        "-m",
        "cluster.tracking.serve",
        f"--database=postgresql+psycopg://mlflow@{database}:{DATABASE_PORT}/mlflow",
        f"--artifacts={config.storage}/mlflow",
        f"--secrets={secrets}",
        f"--allowed-hosts={hosts},{LOCAL_HOSTS}",
        "--host=0.0.0.0",
        f"--port={MLFLOW_PORT}",
    ]


def database_variables(secrets: str) -> dict[str, str]:
    """Environment variables of the PostgreSQL image. The password is in a file of the secrets' folder."""
    return {
        "POSTGRES_USER": "mlflow",
        "POSTGRES_DB": "mlflow",
        "POSTGRES_PASSWORD_FILE": f"{secrets}/database_password",
        "PGDATA": f"{DATABASE_FOLDER}/pgdata",
    }


def service(config: ClusterFilesConfig, app: str, port: int) -> Tree:
    """A host name, the app's own, under which pods of the Kubernetes cluster reach the app's pod."""
    spec = {"type": "ClusterIP", "selector": {"app": app}, "ports": [{"port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(config, app), "spec": spec}


def stateful_set(config: ClusterFilesConfig, database: str) -> Tree:
    """The database, PostgreSQL, with its disk."""
    readiness_probe = {"exec": {"command": ["pg_isready", "--username=mlflow"]}, "periodSeconds": 5}
    container = {
        "name": "postgres",
        "image": config.database_image,
        "env": variables(database_variables(SECRETS_FOLDER)),
        "ports": [{"containerPort": DATABASE_PORT}],
        "readinessProbe": readiness_probe,
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
    """The server. It listens at its pod's address, which only its service leads to."""
    app = name(config)
    hosts = f"{app}:{MLFLOW_PORT},{app}.{config.namespace}.svc*:{MLFLOW_PORT}"
    health = {"httpGet": {"path": "/health", "port": MLFLOW_PORT}, "periodSeconds": 10}
    container = {
        "name": "mlflow",
        "image": config.image,
        "command": server_command(config, database=database, hosts=hosts, secrets=SECRETS_FOLDER),
        "env": variables(storage_variables(config)),
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
        "strategy": {"type": "Recreate"},  # two servers at once would both upgrade the database's tables
        "selector": {"matchLabels": {"app": app}},
        "template": pod(config, app, container, None, SERVER_SECRETS),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(config, app), "spec": spec}


def secrets_mount() -> Tree:
    """The volume mount at which a container finds its secrets."""
    return {"name": "secrets", "mountPath": SECRETS_FOLDER, "readOnly": True}


def pod(config: ClusterFilesConfig, app: str, container: Tree, uid: int | None, secrets: tuple[str, ...]) -> Tree:
    """The template of a pod.

    Args:
        config: names the cluster.
        app: the pod's label, by which its service finds it.
        container: the only container.
        uid: number of the user that it runs as; None for the user of our own image.
        secrets: the keys of those secrets that the pod gets, each as a file.
    """
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
