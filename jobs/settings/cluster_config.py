"""The settings of `magic cluster`. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from cluster.files.files_config import ClusterFilesConfig, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderClusterConfig:
    """Write the files that start a cluster."""

    action: Positional[Literal["render"]]
    """render: write the files."""
    target: Positional[Target]
    """kuberay: Kubernetes with the KubeRay operator. aws: Ray's cluster launcher. compose: one machine with several
    GPUs and Docker Compose."""
    files: Annotated[ClusterFilesConfig, arg(name="")]
    """What runs where."""
    out: str = "out/cluster"
    """Local folder that gets the files."""
