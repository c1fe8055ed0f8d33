"""Parts of Kubernetes objects: metadata, security contexts, resources, environment variables, scheduling."""

from collections.abc import Mapping

from cluster.files.container_environment import UID
from cluster.files.files_config import ClusterFilesConfig
from cluster.files.text import Tree

CONTAINER_SECURITY: Tree = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PART_OF = "app.kubernetes.io/part-of"
"""Label of all objects; its value is the cluster's name."""
GPU_RESOURCE = "nvidia.com/gpu"
SPOT_LABELS = {
    "karpenter.sh/capacity-type": "spot",
    "eks.amazonaws.com/capacityType": "SPOT",
    "cloud.google.com/gke-spot": "true",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""Labels of spot machines, one for each provider. Where a provider also taints them, the taint has the same key."""


def metadata(config: ClusterFilesConfig, name: str) -> Tree:
    """Name, namespace and labels of an object."""
    labels = {PART_OF: config.name, "app.kubernetes.io/managed-by": "magic-cluster-render"}
    return {"name": name, "namespace": config.namespace, "labels": labels}


def pod_security(uid: int = UID) -> Tree:
    """The security context of a pod: it runs as a user without privileges, who owns the pod's volumes."""
    user = {"runAsNonRoot": True, "runAsUser": uid, "runAsGroup": uid, "fsGroup": uid}
    return {**user, "seccompProfile": {"type": "RuntimeDefault"}}


def resources(cpus: int | str, memory: str, gpus: int = 0) -> Tree:
    """The resources of a container: the limits equal the requests."""
    amounts = {"cpu": str(cpus), "memory": memory} | ({GPU_RESOURCE: str(gpus)} if gpus else {})
    return {"requests": amounts, "limits": amounts}


def variables(plain: Mapping[str, str], **secret: tuple[str, str]) -> list[Tree]:
    """Environment variables of a container.

    Args:
        plain: values that stand in the file.
        secret: for each variable, the name of a secret and the key of its value there.
    """
    named = [{"name": name, "value": value} for name, value in plain.items()]
    looked_up = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": key}}}
        for name, (secret_name, key) in secret.items()
    ]
    return [*named, *looked_up]


def tolerations(*, gpus: bool, spot: bool) -> list[Tree]:
    """Tolerations for machines that are tainted because they have GPUs, and for those tainted as spot machines."""
    keys = [*([GPU_RESOURCE] if gpus else []), *(SPOT_LABELS if spot else [])]
    return [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in keys]


def prefer_spot() -> Tree:
    """An affinity for spot machines, by the labels of all providers. Other machines are used when there are none."""
    preferences = [
        {
            "weight": 100,
            "preference": {"matchExpressions": [{"key": label, "operator": "In", "values": [value]}]},
        }
        for label, value in SPOT_LABELS.items()
    ]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferences}}
