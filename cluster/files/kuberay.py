"""Files for the KubeRay operator, 1.5.1 or newer: a RayCluster, and a RayJob that has a cluster of its own."""

from importlib.metadata import version

from cluster.files import mlflow_deployment, network_policies
from cluster.files.container_environment import (
    DASHBOARD_PORT,
    DRIVER_RESOURCE,
    DRIVERS_PER_MACHINE,
    GCS_PORT,
    ray_variables,
    shared_memory_gb,
)
from cluster.files.files_config import ClusterFilesConfig, WorkersConfig, require_bucket
from cluster.files.kubernetes import (
    CONTAINER_SECURITY,
    metadata,
    pod_security,
    prefer_spot,
    resources,
    tolerations,
    variables,
)
from cluster.files.shell_commands import (
    SERVER_SECRETS,
    build_image,
    create_secrets,
    job_command,
    pin_database,
    submit_first_poster,
)
from cluster.files.text import GITIGNORE, Tree, document

CLIENT_PORT = 10001
JOB_KEPT_S = 600
"""How long a finished job's machines stay, so that its logs can be read."""
MAX_JOB_RETRIES = 2
"""How often KubeRay runs a failed job again, on new machines. The job resumes its work."""


def render(config: ClusterFilesConfig) -> dict[str, str]:
    """Files for the cluster, for a job, and for an MLflow server unless the config names one.

    Raises:
        ValueError: if storage is no bucket.
    """
    require_bucket("kuberay", config)
    first = [*secret_steps(config), *server_steps(config)]
    files = {
        ".gitignore": GITIGNORE,
        "raycluster.yaml": document("a Ray cluster on Kubernetes.", [*first, *cluster_steps(config)], cluster(config)),
        "network.yaml": document("who reaches Ray's pods.", first, network_policies.ray_policy(config)),
        "rayjob.yaml": document("a job on a Ray cluster of its own.", [*first, *job_steps(config)], job(config)),
    }
    if config.tracking_uri is None:
        files["mlflow.yaml"] = document("an MLflow server.", first, *server_objects(config))
    return files


def server_objects(config: ClusterFilesConfig) -> list[Tree]:
    """All objects of the MLflow server and its database."""
    return [*mlflow_deployment.objects(config), *network_policies.mlflow_policies(config)]


def steps(config: ClusterFilesConfig) -> list[str]:
    """The commands to type, see cluster.files.targets.steps."""
    return [*secret_steps(config), *server_steps(config), *cluster_steps(config), *job_steps(config)]


def secret_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that build the image, and create the namespace, its network policy and its secrets."""
    create = f"kubectl -n {config.namespace} create secret generic {config.name}"
    user = f"{create}-mlflow-user --from-literal=username=USER --from-file=password=FILE"
    storage = f"{create}-storage --from-env-file=FILE"
    common = [
        *pin_database(config),
        build_image(config.image, push=True),
        f"kubectl create namespace {config.namespace}",
        "kubectl apply -f network.yaml",
        f"{storage}  # AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=...; not needed where the pods have a role",
    ]
    if config.tracking_uri:
        return [*common, user]
    files = " ".join(f"--from-file=secrets/{name}" for name in SERVER_SECRETS)
    return [
        *common,
        *create_secrets(*SERVER_SECRETS),
        f"{create}-mlflow-server {files}",
        user.replace("USER", "admin").replace("FILE", "secrets/admin_password"),
    ]


def server_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that start the MLflow server and open a tunnel to it; none if it runs already."""
    forward = (
        f"kubectl -n {config.namespace} port-forward service/{mlflow_deployment.name(config)} 5000 &  # look at it"
    )
    return ["kubectl apply -f mlflow.yaml", forward] if config.tracking_uri is None else []


def cluster_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that start the cluster and submit a first job. KubeRay creates the token and keeps it in a secret."""
    kubectl = f"kubectl -n {config.namespace}"
    token = f"$({kubectl} get secret {config.name} -o jsonpath='{{.data.auth_token}}' | base64 -d)"
    return [
        "kubectl apply -f raycluster.yaml",
        f"{kubectl} port-forward service/{config.name}-head-svc {DASHBOARD_PORT} &",
        f'export RAY_AUTH_MODE=token RAY_AUTH_TOKEN="{token}"',
        submit_first_poster(config),
    ]


def job_steps(config: ClusterFilesConfig) -> list[str]:
    """Commands that start the RayJob, whose machines run nothing else, and show its log."""
    logs = f"kubectl -n {config.namespace} logs --follow job/{job_name(config)}"
    return ["kubectl apply -f rayjob.yaml", logs]


def cluster(config: ClusterFilesConfig) -> Tree:
    """The RayCluster: it stays, and waits for jobs."""
    kind = {"apiVersion": "ray.io/v1", "kind": "RayCluster"}
    return {**kind, "metadata": metadata(config, config.name), "spec": cluster_spec(config)}


def job_name(config: ClusterFilesConfig) -> str:
    """The RayJob's name."""
    return f"{config.name}-job"


def job(config: ClusterFilesConfig) -> Tree:
    """The RayJob: one command on a cluster of its own, which is deleted after the command has ended."""
    spec = {
        "entrypoint": job_command(config),
        "entrypointResources": f'{{"{DRIVER_RESOURCE}": 1}}',
        "backoffLimit": MAX_JOB_RETRIES,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": JOB_KEPT_S,
        "rayClusterSpec": cluster_spec(config),
    }
    kind = {"apiVersion": "ray.io/v1", "kind": "RayJob"}
    return {**kind, "metadata": metadata(config, job_name(config)), "spec": spec}


def cluster_spec(config: ClusterFilesConfig) -> Tree:
    """The parts of a cluster: a head that runs no tasks, GPU workers and data workers."""
    return {
        "rayVersion": version("ray"),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "idleTimeoutSeconds": config.idle_timeout_s,
            "resources": resources(cpus="500m", memory="1Gi"),
            "securityContext": CONTAINER_SECURITY,
        },
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
            "template": pod_template(config, head_pod(config)),
        },
        "workerGroupSpecs": [
            worker_group("gpu", config.gpu, pod_template(config, gpu_pod(config)), {}),
            worker_group("data", config.data, pod_template(config, worker_pod(config, config.data)), driver_resource()),
        ],
    }


def pod_template(config: ClusterFilesConfig, pod: Tree) -> Tree:
    """A template of Ray's pods, with the labels by which network policies find them."""
    return {"metadata": {"labels": network_policies.ray_labels(config)}, "spec": pod}


def driver_resource() -> dict[str, str]:
    """The parameter of `ray start` that gives data workers DRIVER_RESOURCE. KubeRay wants its JSON in quotes."""
    return {"resources": f'"{{\\"{DRIVER_RESOURCE}\\": {DRIVERS_PER_MACHINE}}}"'}


def worker_group(name: str, group: WorkersConfig, template: Tree, start_params: dict[str, str]) -> Tree:
    """A group of equal workers that grows and shrinks between its limits."""
    return {
        "groupName": name,
        "minReplicas": group.min_workers,
        "maxReplicas": group.max_workers,
        "replicas": group.min_workers,
        "rayStartParams": start_params,
        "template": template,
    }


def head_pod(config: ClusterFilesConfig) -> Tree:
    """The pod of the head. It keeps its service account, because the autoscaler in it talks to Kubernetes."""
    ports = {"gcs-server": GCS_PORT, "dashboard": DASHBOARD_PORT, "client": CLIENT_PORT}
    container = ray_container(config, "ray-head", resources(config.head.cpus, f"{config.head.memory_gb}Gi"))
    container["ports"] = [{"name": name, "containerPort": port} for name, port in ports.items()]
    return ray_pod(container, config.head.memory_gb)


def gpu_pod(config: ClusterFilesConfig) -> Tree:
    """The pod of a worker with GPUs."""
    pod = worker_pod(config, config.gpu, config.gpu.gpus)
    if config.gpu.gpu_product:
        pod["nodeSelector"] = {"nvidia.com/gpu.product": config.gpu.gpu_product}
    return pod


def worker_pod(config: ClusterFilesConfig, group: WorkersConfig, gpus: int = 0) -> Tree:
    """The pod of a worker."""
    amounts = resources(group.cpus, f"{group.memory_gb}Gi", gpus)
    pod = ray_pod(ray_container(config, "ray-worker", amounts), group.memory_gb)
    pod["automountServiceAccountToken"] = False
    if group.spot:
        pod["affinity"] = prefer_spot()
    if tolerated := tolerations(gpus=gpus > 0, spot=group.spot):
        pod["tolerations"] = tolerated
    return pod


def ray_pod(container: Tree, memory_gb: int) -> Tree:
    """A pod of one Ray container, with shared memory for Ray's object store."""
    size = f"{shared_memory_gb(memory_gb)}Gi"
    return {
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": [{"name": "shared-mem", "emptyDir": {"medium": "Memory", "sizeLimit": size}}],
    }


def ray_container(config: ClusterFilesConfig, name: str, amounts: Tree) -> Tree:
    """A container that runs Ray with those resources. Settings are in the file, credentials come from secrets."""
    user = f"{config.name}-mlflow-user"
    uri = config.tracking_uri or mlflow_deployment.uri(config)
    return {
        "name": name,
        "image": config.image,
        "resources": amounts,
        "env": variables(
            ray_variables(config, uri),
            MLFLOW_TRACKING_USERNAME=(user, "username"),
            MLFLOW_TRACKING_PASSWORD=(user, "password"),
        ),
        "envFrom": [{"secretRef": {"name": f"{config.name}-storage", "optional": True}}],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "shared-mem", "mountPath": "/dev/shm"}],  # noqa: S108 - shared memory, not a file
    }
