"""How training workers of one machine form a group without a port that other machines can reach.

By Ray Train's own way, one of them listens at all addresses, and the rest ask it who is there.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil
import ray.train
import torch.distributed
from ray.train.backend import BackendConfig
from ray.train.torch import TorchConfig, get_device

LOOPBACK = "127.0.0.1"


class LocalTorchConfig(TorchConfig):  # type: ignore[misc]
    """Tells Ray Train that workers find each other by a file."""

    @property
    def backend_cls(self) -> type:
        """What Ray Train starts the group with."""
        return LocalGroup


class LocalGroup(TorchConfig().backend_cls):  # type: ignore[misc]
    """Starts and ends the group of workers."""

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Ray Train calls it once the workers are there."""
        self.folder = Path(tempfile.mkdtemp(prefix="magic-group-"))
        worker_group.execute(join_group, self.folder / "workers")

    def on_shutdown(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Ray Train calls it before it ends the workers."""
        try:
            super().on_shutdown(worker_group, backend_config)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def join_group(file: Path) -> None:
    """Make this worker one of its group, whose members find each other by a file."""
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = loopback_interface()
    context = ray.train.get_context()
    torch.distributed.init_process_group(
        "nccl" if get_device().type == "cuda" else "gloo",
        init_method=file.as_uri(),
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
    )


def loopback_interface() -> str:
    """The name of the network interface that only this machine's processes reach: lo, say."""
    interfaces: dict[str, list[Any]] = psutil.net_if_addrs()
    return next(name for name, addresses in interfaces.items() if any(each.address == LOOPBACK for each in addresses))
