"""Cluster files of a few configs, read back; the tests of cluster files use them."""

import yaml

from cluster.files.files_config import ClusterFilesConfig, GpuWorkersConfig, HeadConfig, WorkersConfig
from cluster.files.targets import render

PLAIN = ClusterFilesConfig(image="registry.example/magic:1", storage="s3://bucket/magic")
RICH = ClusterFilesConfig(
    image="registry.example/magic:1",
    storage="s3://bucket/magic",
    name="studio",
    namespace="collages",
    endpoint="https://store.example",
    region="eu-central-1",
    tracking_uri="https://mlflow.example",
    command="magic train paper --name city --out s3://bucket/runs",
    head=HeadConfig(cpus=4, memory_gb=16),
    gpu=GpuWorkersConfig(min_workers=1, max_workers=8, gpus=4, gpu_product="NVIDIA-H100-80GB-HBM3", spot=True),
    data=WorkersConfig(min_workers=0, max_workers=2, spot=True),
)
LOCAL = ClusterFilesConfig(image="magic", storage="/srv/magic", gpu=GpuWorkersConfig(gpus=4))
EVERY = [
    ("kuberay", PLAIN),
    ("kuberay", RICH),
    ("aws", RICH),
    ("compose", PLAIN),
    ("compose", RICH),
    ("compose", LOCAL),
]


def trees(target, config) -> dict[str, list[dict]]:
    """What a target's files say, by name."""
    texts = {name: text for name, text in render(target, config).items() if name.endswith(".yaml")}
    return {name: list(yaml.safe_load_all(text)) for name, text in texts.items()}


def kubernetes_objects(config=PLAIN) -> list[dict]:
    return [tree for objects in trees("kuberay", config).values() for tree in objects]


def ray_cluster(config=PLAIN) -> dict:
    return trees("kuberay", config)["raycluster.yaml"][0]


def cluster_specs() -> list[dict]:
    """Of the standing cluster, and of the job's own."""
    return [ray_cluster()["spec"], trees("kuberay", PLAIN)["rayjob.yaml"][0]["spec"]["rayClusterSpec"]]


def launcher(config=RICH) -> dict:
    return trees("aws", config)["cluster.yaml"][0]


def project(config=PLAIN) -> dict:
    return trees("compose", config)["compose.yaml"][0]


def nodes(tree, path=()):
    """Everything in a tree with its path."""
    yield path, tree
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from nodes(child, (*path, key))


def pods(tree) -> list[dict]:
    return [node for _, node in nodes(tree) if isinstance(node, dict) and "containers" in node]
