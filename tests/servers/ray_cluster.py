"""A Ray cluster on loopback: a head without work and nodes, each a process of its own, with token authentication."""

import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.servers.processes import end, free_port, start, wait_until

QUICK = {
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "15",
}
"""A node that is gone is noticed in seconds."""
OBJECT_STORE_BYTES = 300_000_000


class RayCluster:
    """A head and nodes. Jobs are submitted to `address`."""

    def __init__(self, folder: Path, logs: Path, environment: dict[str, str]) -> None:
        """Choose ports and a token.

        Args:
            folder: of the sessions; a short path, since it holds sockets.
            logs: folder for what `ray start` prints.
            environment: what all its processes are to know.
        """
        self.folder, self.logs = folder, logs
        self.token = secrets.token_hex(24)
        self.token_file = logs / "token"
        logs.mkdir(parents=True, exist_ok=True)
        self.token_file.write_text(self.token)
        self.token_file.chmod(0o600)
        self._gcs, self._dashboard = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self._dashboard}"
        programs = str(Path(sys.executable).parent)
        self._environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            **QUICK,
            **environment,
            **self.token_environment,
        }
        self.nodes: list[subprocess.Popen] = []
        self._head: subprocess.Popen | None = None
        self._started = 0

    @property
    def token_environment(self) -> dict[str, str]:
        """What clients need to know."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token_file)}

    def start(self, num_nodes: int) -> None:
        """Start the head and so many nodes; returns when all are there."""
        head = ["--head", "--port", str(self._gcs), "--dashboard-host", "127.0.0.1", "--num-cpus", "0"]
        head += ["--dashboard-port", str(self._dashboard)]
        self._head = self._start("head", *head)
        for _ in range(num_nodes):
            self.add_node()

    def add_node(self) -> subprocess.Popen:
        """Start one more node with two CPUs; returns when it is there."""
        self._started += 1
        name = f"node-{self._started}"
        self.nodes.append(self._start(name, "--address", f"127.0.0.1:{self._gcs}", "--num-cpus", "2"))
        return self.nodes[-1]

    def remove_node(self, node: subprocess.Popen) -> None:
        """Take a node away as a machine is that loses its power: all of its processes are killed."""
        self.nodes.remove(node)
        end(node, signal.SIGKILL)

    def stop(self) -> None:
        """End it all."""
        for process in [*self.nodes, *([self._head] if self._head else [])]:
            end(process)

    def processes(self, title: str) -> list[psutil.Process]:
        """The nodes' processes whose title begins so: ray::TileWorker, say."""
        return [process for node in self.nodes for process in _family(node) if _title(process).startswith(title)]

    def node_with(self, title: str) -> subprocess.Popen:
        """A node that runs such a process."""
        return next(node for node in self.nodes if any(_title(one).startswith(title) for one in _family(node)))

    def _start(self, name: str, *args: str) -> subprocess.Popen:
        log = self.logs / f"{name}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        command += ["--object-store-memory", str(OBJECT_STORE_BYTES), "--dashboard-agent-listen-port", str(free_port())]
        # as on machines of their own: in one folder, the code of a job would be unpacked under another node's feet
        command += ["--temp-dir", str(self.folder / name)]
        process = start([*command, *args], log, env=self._environment)
        wait_until(lambda: re.search("Ray runtime started", log.read_text()) is not None, name, log, process)
        return process


def _family(node: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(node.pid).children(recursive=True)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
