"""What all tests share: one Ray session, a small generator, pictures."""

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # tests of authentication switch it on themselves
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="mr-", dir="/tmp")  # short: sockets below it
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import numpy as np
import psutil
import pytest
import torch
from hypothesis import settings
from PIL import Image

from magic.baselines import build_generator
from magic.config import GeneratorConfig
from magic.generator import Generator
from magic.memory import MemorySet, PictureList, draw_templates

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


def pytest_unconfigure():
    shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)


@pytest.fixture(scope="session")
def s3_server():
    """An S3 server over loopback, known to this process and to those it starts."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="tester",
        AWS_SECRET_ACCESS_KEY="test-secret-of-no-use",
        AWS_DEFAULT_REGION="us-east-1",
    )
    yield
    server.stop()


@pytest.fixture
def s3(s3_server):
    """The URL of a new, empty bucket."""
    import s3fs

    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}"


@pytest.fixture(scope="session")
def ray_here(s3_server):
    """A Ray cluster of this machine with four logical CPUs."""
    import ray

    ray.init(
        num_cpus=4,
        object_store_memory=500_000_000,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=os.environ["RAY_TMPDIR"],
    )
    yield
    ray.shutdown()


def ray_processes(name: str) -> list[psutil.Process]:
    """This test session's own Ray workers that run what has that name."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if name in "".join(process.cmdline()[:1]):
                found.append(process)
    return found


@contextlib.contextmanager
def killing(name: str, when: Callable[[], bool]) -> Iterator[list[int]]:
    """Within the block, wait until `when` and kill all Ray workers of that name; gives their process ids."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not when():
            if over.wait(0.01):
                return
        for process in ray_processes(name):
            process.kill()
            killed.append(process.pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def textured(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A picture with structure at several scales."""
    picture = np.zeros((height, width, 3))
    for cell in (4, 16, 48):
        coarse = rng.random((height // cell + 2, width // cell + 2, 3))
        picture += np.kron(coarse, np.ones((cell, cell, 1)))[:height, :width]
    return (picture / 3 * 255).astype(np.uint8)


def random_generator(depth: int, seed: int = 0, **settings) -> Generator:
    """A small generator whose norms, attention, warp and refiner all do something."""
    torch.manual_seed(seed)
    generator = build_generator(GeneratorConfig(**{"channels": 8, "heads": 2, **settings}, depth=depth))
    for parameter in generator.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.2 * torch.randn_like(parameter)
    if generator.config.warp != "none":
        torch.nn.init.normal_(generator.mixing.head.weight[1:], std=0.1)
    if generator.refiner is not None:
        torch.nn.init.normal_(generator.refiner.head.weight, std=0.05)
    return generator


def memory_set(pictures: list[np.ndarray], num_templates: int, seed: int) -> MemorySet:
    """Templates drawn from pictures."""
    return MemorySet.of(PictureList(pictures), draw_templates(PictureList(pictures), num_templates, seed))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder with content/portrait.png and style/0.png .. style/2.png."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(7)
    for name, size in {"content/portrait": (150, 131), **{f"style/{i}": (90 + 10 * i, 120) for i in range(3)}}.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(textured(rng, *size)).save(path)
    return folder
