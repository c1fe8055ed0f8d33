"""The one config that all cluster files are made from. Imports nothing heavy."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Target = Literal["kuberay", "aws", "compose"]

GPU_AMI = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadConfig:
    """The machine that Ray's head runs on. It schedules and does no work."""

    cpus: int = 2
    """CPUs of its pod (kuberay)."""
    memory_gb: int = 8
    """Memory of its pod in GiB (kuberay)."""
    instance_type: str = "m7i.large"
    """Its EC2 instance type (aws)."""

    def __post_init__(self) -> None:
        _at_least(1, cpus=self.cpus, memory_gb=self.memory_gb)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkersConfig:
    """A group of equal machines that grows and shrinks with the work."""

    min_workers: int = 0
    """Machines that stay when there is nothing to do."""
    max_workers: int = 4
    """Machines at most."""
    cpus: int = 8
    """CPUs of each pod (kuberay)."""
    memory_gb: int = 32
    """Memory of each pod in GiB (kuberay)."""
    instance_type: str = "m7i.2xlarge"
    """EC2 instance type (aws)."""
    spot: bool = False
    """Machines that are cheaper and may be taken away at any time; jobs go on with those that are left."""

    def __post_init__(self) -> None:
        _at_least(0, min_workers=self.min_workers)
        _at_least(1, max_workers=self.max_workers, cpus=self.cpus, memory_gb=self.memory_gb)
        _require(
            self.min_workers <= self.max_workers,
            f"min-workers <= max-workers = {self.max_workers}",
            self.min_workers,
            "raise max-workers",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuWorkersConfig(WorkersConfig):
    """A group of equal machines with GPUs."""

    memory_gb: int = 48
    """Memory of each machine in GiB (kuberay, compose)."""
    gpus: int = 1
    """GPUs of each machine (kuberay, compose)."""
    gpu_product: str | None = None
    """Kind of GPU, by the node label nvidia.com/gpu.product (kuberay). Left out: any."""
    instance_type: str = "g6.4xlarge"
    """EC2 instance type (aws)."""

    def __post_init__(self) -> None:
        WorkersConfig.__post_init__(self)  # with slots, super() would look in the class that slots replaced
        _at_least(1, gpus=self.gpus)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFilesConfig:
    """What runs where. Secrets are no part of it: the files name where they are looked up."""

    image: str
    """Container image made from the Dockerfile, under a name that the machines can pull."""
    storage: str
    """URL of the folder for models, s3://bucket/folder; compose also takes an absolute path of its machine."""
    name: str = "magic"
    """Name of the cluster; what belongs to it begins so."""
    namespace: str = "magic"
    """Kubernetes namespace (kuberay)."""
    endpoint: str | None = None
    """URL of an object store other than AWS."""
    region: str = "us-east-1"
    """Region of the object store, and of the machines (aws)."""
    tracking_uri: str | None = None
    """URL of an MLflow server that runs already. Left out: kuberay and compose bring one along; aws needs it."""
    command: str | None = None
    """What the RayJob runs (kuberay). Left out: the poster of a picture below storage."""
    head: HeadConfig = field(default_factory=HeadConfig)
    """Ray's head."""
    gpu: GpuWorkersConfig = field(default_factory=GpuWorkersConfig)
    """Machines that train and render."""
    data: WorkersConfig = field(default_factory=lambda: WorkersConfig(min_workers=1))
    """Machines that read pictures, and hold the jobs' drivers (kuberay, aws)."""
    idle_timeout_s: int = 300
    """A machine without work for so long is given back."""
    ami: str = GPU_AMI
    """Machine image with NVIDIA's driver and Docker, an id or resolve:ssm:PARAMETER (aws). Ray's own default is of
    2023, too old for this torch."""
    database_image: str = "postgres:17"
    """Image of MLflow's database, version 17 or older: newer ones keep their data elsewhere (kuberay, compose)."""
    database_gb: int = 20
    """Disk of MLflow's database in GiB (kuberay)."""

    def __post_init__(self) -> None:
        for label, value in (("name", self.name), ("namespace", self.namespace)):
            _require(
                re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", value) is not None,
                f"a {label} of up to 40 lower-case letters, digits and '-' that begins with a letter",
                value,
                "rename it",
            )
        _require(
            re.fullmatch(r"(s3:/)?(/[\w.=-]+)+", self.storage) is not None,
            "storage as s3://bucket/folder, or as an absolute path for compose",
            self.storage,
            "write it so, without a / at the end",
        )
        _require(re.fullmatch(r"\S+", self.image) is not None, "an image's name", self.image, "give one without spaces")
        _require(
            "\n" not in (self.command or ""), "a command of one line", self.command, "put more of them into a script"
        )
        _url(endpoint=self.endpoint, tracking_uri=self.tracking_uri)
        _at_least(1, idle_timeout_s=self.idle_timeout_s, database_gb=self.database_gb)


def _url(**urls: str | None) -> None:
    """Refuse what is no URL of a server, and those with a password: they would end up in a file."""
    for name, url in urls.items():
        parts = urlsplit(url or "http://none")
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        shown = url if "@" not in parts.netloc else "one with a user"
        _require(
            good and not parts.query,
            f"{name.replace('_', '-')} as http(s)://HOST:PORT, without user and password",
            shown,
            "credentials belong into the secrets that the files name",
        )


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        _require(value >= least, f"{name.replace('_', '-')} >= {least}", value, "raise it")


def _require(ok: bool, expected: str, got: object, advice: str) -> None:
    if not ok:  # magic.checks.require's form, which this package may not import
        raise ValueError(f"expected {expected}, got {got!r}; {advice}")
