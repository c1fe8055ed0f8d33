"""The settings that all files of a cluster are rendered from. Imports nothing heavy."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Target = Literal["kuberay", "aws", "compose"]

IMAGE = re.compile(
    r"(?=[^@]{1,255}(@|$))"  # the longest name that registries take
    r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?/)?"  # registry and its port
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
"""REGISTRY:PORT/NAME:TAG@sha256:DIGEST, of which the name alone is needed."""
STORAGE = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.\.?(/|$))[A-Za-z0-9_.=-]+)*|(/(?!\.\.?(/|$))[A-Za-z0-9_.=-]+)+"
)
URL_CHARACTERS = re.compile(r"[A-Za-z0-9:/._~%\[\]-]+")
"""Of servers' addresses. None of them means something to a shell."""

DEFAULT_AMI = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadConfig:
    """The machine that Ray's head runs on. The head schedules tasks and runs none."""

    cpus: int = 2
    """CPUs of its pod or container (kuberay, compose)."""
    memory_gb: int = 8
    """Memory of its pod or container in GiB (kuberay, compose)."""
    instance_type: str = "m7i.large"
    """Its EC2 instance type (aws)."""

    def __post_init__(self) -> None:
        _require_minimum(1, cpus=self.cpus, memory_gb=self.memory_gb)
        _require_words(instance_type=self.instance_type)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkersConfig:
    """A group of equal machines. It grows while tasks wait, and shrinks when machines are idle."""

    min_workers: int = 0
    """Number of machines that stay when there is no work."""
    max_workers: int = 4
    """Number of machines at most."""
    cpus: int = 8
    """CPUs of each pod (kuberay)."""
    memory_gb: int = 32
    """Memory of each pod in GiB (kuberay)."""
    instance_type: str = "m7i.2xlarge"
    """EC2 instance type (aws)."""
    spot: bool = False
    """Use spot machines: cheaper ones that the provider may take away. Jobs go on with those that are left."""

    def __post_init__(self) -> None:
        _require_minimum(0, min_workers=self.min_workers)
        _require_minimum(1, max_workers=self.max_workers, cpus=self.cpus, memory_gb=self.memory_gb)
        _require_words(instance_type=self.instance_type)
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
    """Model of the GPU, by the node label nvidia.com/gpu.product (kuberay). Left out: any."""
    instance_type: str = "g6.4xlarge"
    """EC2 instance type (aws)."""

    def __post_init__(self) -> None:
        WorkersConfig.__post_init__(self)  # super() would fail: slots=True has replaced the class that it refers to
        _require_minimum(1, gpus=self.gpus)
        if self.gpu_product is not None:
            _require_words(gpu_product=self.gpu_product)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFilesConfig:
    """What runs where. It holds no secrets: the files only name the places where secrets are looked up."""

    image: str
    """Container image built from the Dockerfile, under a name that the machines can pull."""
    storage: str
    """URL of the folder for models, s3://bucket/folder; compose also takes an absolute path of its machine."""
    name: str = "magic"
    """Name of the cluster. The names of all its parts begin with it."""
    namespace: str = "magic"
    """Kubernetes namespace (kuberay)."""
    endpoint: str | None = None
    """URL of the object store. Left out: AWS."""
    region: str = "us-east-1"
    """Region of the object store, and of the machines (aws)."""
    tracking_uri: str | None = None
    """URL of an MLflow server that runs already. Left out: kuberay and compose start one; aws cannot go without."""
    command: str | None = None
    """What the RayJob runs (kuberay). Left out: the poster of a picture below storage."""
    head: HeadConfig = field(default_factory=HeadConfig)
    """Ray's head."""
    gpu: GpuWorkersConfig = field(default_factory=GpuWorkersConfig)
    """Machines that train and render."""
    data: WorkersConfig = field(default_factory=lambda: WorkersConfig(min_workers=1))
    """Machines that read pictures and run the jobs' own processes (kuberay, aws)."""
    idle_timeout_s: int = 300
    """A machine that has been idle for so long is given back."""
    ami: str = DEFAULT_AMI
    """Machine image with NVIDIA's driver and Docker: an id, or resolve:ssm:PARAMETER (aws). The driver of Ray's own
    default, of 2023, is too old for this version of torch."""
    database_image: str = "postgres:17"
    """Image of MLflow's database, PostgreSQL 17 or older: newer images keep their data in another folder (kuberay,
    compose). With @sha256:DIGEST behind it, every start gets the very same image; the commands to type tell how."""
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
            STORAGE.fullmatch(self.storage) is not None,
            "storage as s3://bucket/folder, or as an absolute path for compose",
            self.storage,
            "write it so, without a / at the end",
        )
        for label, value in (("image", self.image), ("database-image", self.database_image)):
            _require(
                IMAGE.fullmatch(value) is not None, f"{label} as NAME:TAG or NAME@sha256:DIGEST", value, "name one"
            )
        _require_words(region=self.region, ami=self.ami)
        _require((self.command or "").isprintable(), "a command of one line", self.command, "put more into a script")
        _require_urls(endpoint=self.endpoint, tracking_uri=self.tracking_uri)
        _require_minimum(1, idle_timeout_s=self.idle_timeout_s, database_gb=self.database_gb)


def require_bucket(target: Target, config: ClusterFilesConfig) -> None:
    """Refuse storage on one machine's disk for a target that has many machines.

    Raises:
        ValueError: unless storage is a bucket.
    """
    if not config.storage.startswith("s3://"):
        raise ValueError(f"expected storage as s3://bucket/folder for {target}, got {config.storage!r}; write it so")


def _require_urls(**urls: str | None) -> None:
    """Refuse a text that is no server's URL, and a URL with a user or password: it would end up in a file."""
    for name, url in urls.items():
        if not url:
            continue
        has_user = "@" in url
        is_server = URL_CHARACTERS.fullmatch(url) is not None and _is_server(url)
        _require(
            is_server and not has_user,
            f"{name.replace('_', '-')} as http(s)://HOST:PORT, without user and password",
            "one with a user" if has_user else url,
            "credentials belong into the secrets that the files name",
        )


def _is_server(url: str) -> bool:
    """Whether a text is the address of a web server, with a port from 1 to 65535 if it has one."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, brackets without an address in them
        return False


def _require_words(**values: str) -> None:
    """Refuse what is no single word of letters, digits and the signs that names of cloud resources have."""
    for name, value in values.items():
        is_word = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*", value) is not None
        _require(is_word, f"{name.replace('_', '-')} of letters, digits and - _ . : /", value, "write it so")


def _require_minimum(minimum: int, **values: int) -> None:
    """Refuse numbers below a minimum."""
    for name, value in values.items():
        _require(value >= minimum, f"{name.replace('_', '-')} >= {minimum}", value, "raise it")


def _require(ok: bool, expected: str, got: object, advice: str) -> None:
    """Refuse a value that a user gave, in the words of magic.checks.require.

    It is written out here because `cluster` may not import `magic`.

    Raises:
        ValueError: if not ok.
    """
    if not ok:
        raise ValueError(f"expected {expected}, got {got!r}; {advice}")
