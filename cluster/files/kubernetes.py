"""Parts of pods."""

from collections.abc import Mapping

from cluster.files.environment import UID
from cluster.files.text import Tree
from cluster.files_config import ClusterFilesConfig

CONTAINER_SECURITY: Tree = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
GPU = "nvidia.com/gpu"
SPOT_LABELS = {
    "karpenter.sh/capacity-type": "spot",
    "eks.amazonaws.com/capacityType": "SPOT",
    "cloud.google.com/gke-spot": "true",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""How the providers label spot machines; where they also taint them, the taint's key is the label's."""


def metadata(config: ClusterFilesConfig, name: str) -> Tree:
    """Name, namespace and labels of an object."""
    labels = {"app.kubernetes.io/part-of": config.name, "app.kubernetes.io/managed-by": "magic-cluster-render"}
    return {"name": name, "namespace": config.namespace, "labels": labels}


def pod_security(uid: int = UID) -> Tree:
    """A user without rights, who owns the pod's volumes."""
    user = {"runAsNonRoot": True, "runAsUser": uid, "runAsGroup": uid, "fsGroup": uid}
    return {**user, "seccompProfile": {"type": "RuntimeDefault"}}


def resources(cpus: int | str, memory: str, gpus: int = 0) -> Tree:
    """As much as is asked for, and no more."""
    amounts = {"cpu": str(cpus), "memory": memory} | ({GPU: str(gpus)} if gpus else {})
    return {"requests": amounts, "limits": amounts}


def variables(plain: Mapping[str, str], **secret: tuple[str, str]) -> list[Tree]:
    """Environment variables: values in the open, and others by a secret's name and key."""
    named = [{"name": name, "value": value} for name, value in plain.items()]
    looked_up = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": key}}}
        for name, (secret_name, key) in secret.items()
    ]
    return [*named, *looked_up]


def tolerations(*, gpus: bool, spot: bool) -> list[Tree]:
    """Leave to run on machines that are kept for GPU work, and on those that may be taken away."""
    keys = [*([GPU] if gpus else []), *(SPOT_LABELS if spot else [])]
    return [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in keys]


def prefer_spot() -> Tree:
    """Spot machines first, by whichever label the provider uses."""
    preferred = [
        {
            "weight": 100,
            "preference": {"matchExpressions": [{"key": label, "operator": "In", "values": [value]}]},
        }
        for label, value in SPOT_LABELS.items()
    ]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
