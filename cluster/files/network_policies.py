"""Kubernetes network policies: who may open a connection to Ray's pods, to the MLflow server and to its database.

They need a network plug-in that enforces policies; without one, Kubernetes takes them and does nothing. What the pods
themselves connect to is left open, because object stores and registries may be anywhere.
"""

from cluster.files import mlflow_deployment
from cluster.files.container_environment import DASHBOARD_PORT, MLFLOW_PORT
from cluster.files.files_config import ClusterFilesConfig
from cluster.files.kubernetes import PART_OF, metadata
from cluster.files.text import Tree

OPERATOR_LABELS = {"app.kubernetes.io/name": "kuberay-operator"}
"""Of the operator's pod, as KubeRay's Helm chart makes it, in whatever namespace."""


def ray_labels(config: ClusterFilesConfig) -> dict[str, str]:
    """The labels by which all of Ray's pods are found, those of jobs with a cluster of their own among them."""
    return {PART_OF: config.name, "app.kubernetes.io/component": "ray"}


def ray_policy(config: ClusterFilesConfig) -> Tree:
    """Ray's pods reach each other at all ports; the operator and pods of the namespace, which submit jobs with the
    token, reach the job server alone.
    """
    operator = {"namespaceSelector": {}, "podSelector": {"matchLabels": OPERATOR_LABELS}}
    labels = ray_labels(config)
    rules = [{"from": [pods(labels)]}, {"from": [operator, pods({})], "ports": [port(DASHBOARD_PORT)]}]
    return policy(config, f"{config.name}-ray", labels, rules)


def mlflow_policies(config: ClusterFilesConfig) -> list[Tree]:
    """Ray's pods reach the server, and the server alone its database."""
    server, database = mlflow_deployment.name(config), mlflow_deployment.database_name(config)
    from_ray = {"from": [pods(ray_labels(config))], "ports": [port(MLFLOW_PORT)]}
    from_server = {"from": [pods({"app": server})], "ports": [port(mlflow_deployment.DATABASE_PORT)]}
    return [
        policy(config, server, {"app": server}, [from_ray]),
        policy(config, database, {"app": database}, [from_server]),
    ]


def policy(config: ClusterFilesConfig, name: str, labels: dict[str, str], rules: list[Tree]) -> Tree:
    """A policy by which nothing but what the rules name reaches the pods with those labels."""
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"], "ingress": rules}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return {**kind, "metadata": metadata(config, name), "spec": spec}


def pods(labels: dict[str, str]) -> Tree:
    """The pods of the same namespace that have those labels."""
    return {"podSelector": {"matchLabels": labels} if labels else {}}


def port(number: int) -> Tree:
    """A TCP port."""
    return {"protocol": "TCP", "port": number}
