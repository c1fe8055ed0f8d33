"""A studio: all servers of a cluster, and somebody who types commands there."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import s3fs
from mlflow import MlflowClient

from tests.servers import radosgw
from tests.servers.mlflow_server import MlflowServer
from tests.servers.radosgw import Radosgw
from tests.servers.ray_cluster import RayCluster

PATIENCE_S = 300


@dataclass
class Studio:
    """The servers, and the commands of somebody who works with them."""

    folder: Path
    storage: Radosgw
    tracking: MlflowServer
    cluster: RayCluster
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    """All that commands have printed."""

    def magic(self, *args: object, status: int = 0, **other: str) -> str:
        """Type a command; returns what it prints."""
        process = self.begin(*args, **other)
        try:
            printed, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()  # where it did not end
        self.said.append(printed)
        assert process.returncode == status, printed
        return printed

    def begin(self, *args: object, **other: str) -> subprocess.Popen:
        """Type a command, and leave it running. Nothing but the token tells that there is authentication."""
        known = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=known | self.environment | other,
            start_new_session=True,
        )

    @cached_property
    def files(self) -> s3fs.S3FileSystem:
        """The object storage; nothing is remembered of what it holds."""
        return s3fs.S3FileSystem(
            key=radosgw.ACCESS_KEY,
            secret=radosgw.SECRET_KEY,
            endpoint_url=self.storage.url,
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def digests(self, folder: str) -> dict[str, str]:
        """SHA-256 of every object in a folder."""
        root = folder.removeprefix("s3://")
        return {name.removeprefix(root): hashlib.sha256(data).hexdigest() for name, data in self.stored(root).items()}

    def stored(self, folder: str) -> dict[str, bytes]:
        """Every object in a folder, by its name."""
        return self.files.cat(self.files.find(folder))

    def runs(self) -> MlflowClient:
        """The tracking server, as the studio's administrator."""
        os.environ.update(self.tracking.environment)
        return MlflowClient(self.tracking.url, registry_uri=self.tracking.url)
