"""Files that start a cluster: for KubeRay, for Ray's launcher on AWS, for one machine with Docker Compose."""

from cluster.files import aws, compose, kuberay
from cluster.files_config import ClusterFilesConfig, Target

RENDER = {"kuberay": kuberay.render, "aws": aws.render, "compose": compose.render}
STEPS = {"kuberay": kuberay.steps, "aws": aws.steps, "compose": compose.steps}


def render(target: Target, config: ClusterFilesConfig) -> dict[str, str]:
    """The files of a target, by name. None of them holds a secret.

    Raises:
        ValueError: if the config lacks what the target needs.
    """
    return RENDER[target](config)


def steps(target: Target, config: ClusterFilesConfig) -> list[str]:
    """The commands that make the secrets, start the cluster and give it work, to be typed in the files' folder."""
    return STEPS[target](config)
