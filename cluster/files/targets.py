"""The targets that files can be rendered for: KubeRay, Ray's launcher on AWS, Docker Compose on one machine."""

from cluster.files import aws, compose, kuberay
from cluster.files.files_config import ClusterFilesConfig, Target

RENDER = {"kuberay": kuberay.render, "aws": aws.render, "compose": compose.render}
STEPS = {"kuberay": kuberay.steps, "aws": aws.steps, "compose": compose.steps}


def render(target: Target, config: ClusterFilesConfig) -> dict[str, str]:
    """The text of each file of a target, by file name. No file holds a secret.

    Raises:
        ValueError: if the config lacks what the target needs.
    """
    return RENDER[target](config)


def steps(target: Target, config: ClusterFilesConfig) -> list[str]:
    """The commands that create the secrets, start the cluster and submit a first job.

    A user types them in the folder that holds the rendered files.
    """
    return STEPS[target](config)
