"""What all tests share: one Ray session, a small generator, pictures."""

import contextlib
import hashlib
import logging
import os
import shutil
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # tests of authentication switch it on themselves
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="mr-", dir=os.environ.get("SHORT_TMPDIR", "/tmp"))  # for sockets
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import numpy as np
import psutil
import pytest
import torch
from hypothesis import settings
from PIL import Image

from magic.geometry import Box, Canvas, Halo, TileGrid
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Generator, build_generator
from magic.scene.memory import MemorySet, PictureList, draw_templates
from pipelines.pictures.decoding import decode
from pipelines.pictures.source_records import PictureInfo, SourceIdentity
from pipelines.pictures.tone import Tone, tone_of
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import ContentRecord, Manifest, ModelReference, PosterIdentity, TilingRecord
from pipelines.posters.poster_store import PosterStore
from pipelines.posters.pyramid import write_block
from pipelines.storage.claims import IDENTITY

pytest_plugins = ["tests.browser"]
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
# a script that runs tests in the background lets them ignore Ctrl-C, and with them all commands that they start
signal.signal(signal.SIGINT, signal.default_int_handler)


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

    from cluster.private_ray import listening_at_loopback

    with listening_at_loopback():
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


def stored(store: PosterStore, name: str, level: int = 0) -> np.ndarray:
    """All of a layer at a level, [H W C]."""
    return store.read(name, Box(0, 0, *store.size(level)), level).transpose(1, 2, 0)


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
    heads = {} if "system" in settings else {"heads": 2}
    generator = build_generator(GeneratorConfig(**{"channels": 8, **heads, **settings}, depth=depth))
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
    return draw_pictures(tmp_path_factory.mktemp("pictures"))


def draw_pictures(folder: Path) -> Path:
    """Write content/portrait.png and style/0.png .. style/2.png into a folder; returns it."""
    rng = np.random.default_rng(7)
    for name, size in {"content/portrait": (150, 131), **{f"style/{i}": (90 + 10 * i, 120) for i in range(3)}}.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(textured(rng, *size)).save(path)
    return folder


@pytest.fixture(scope="session")
def make_poster(pictures, tmp_path_factory) -> Callable[[int, int], FinishedPoster]:
    """Makes finished posters of any height and width."""
    return lambda height, width: finished_poster(tmp_path_factory.mktemp("finished"), pictures, height, width)


def finished_poster(folder: Path, pictures: Path, height: int, width: int) -> FinishedPoster:
    """A poster made from noise in large cells, with K = 5; without Ray.

    Args:
        folder: that gets it.
        pictures: a folder of pictures, as `draw_pictures` makes it.
        height: in pixels.
        width: in pixels.
    """
    rng = np.random.default_rng(height + width)
    canvas = Canvas.around(height, width, halo=Halo(16, 8), multiple=8)
    grid = TileGrid(height=canvas.height, width=canvas.width, core_px=128, multiple=8)
    store = PosterStore(str(folder), grid, canvas)
    layers = {name: textured(rng, canvas.height, canvas.width).transpose(2, 0, 1) for name in ("collage", "output")}
    cells = rng.integers(0, 5, (1, canvas.height // 40 + 1, canvas.width // 40 + 1)).astype(np.uint16)
    layers["labels"] = np.kron(cells, np.ones((1, 40, 40), np.uint16))[:, : canvas.height, : canvas.width]
    store.create(tuple(layers))
    for name, pixels in layers.items():
        for tile in grid:
            store.write(name, tile.core, pixels[(slice(None), *tile.core.slices)])
        for level in range(1, store.num_levels):
            for number in range(len(store.blocks(level))):
                write_block(store, name, level, number)
    styles = [pictures / "style" / f"{i}.png" for i in range(3)]
    pixels = [decode(path.read_bytes()) for path in styles]
    infos = [
        PictureInfo(
            url=str(path),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            height=image.shape[0],
            width=image.shape[1],
            tone=tone_of(image),
        )
        for path, image in zip(styles, pixels, strict=True)
    ]
    content = pictures / "content" / "portrait.png"
    identity = PosterIdentity(
        model=ModelReference(uri="models:/test/1", digest="0" * 64),
        content=ContentRecord(
            url=str(content),
            digest=hashlib.sha256(content.read_bytes()).hexdigest(),
            tone="match",
            tones=(Tone(120.0, 40.0), Tone(100.0, 30.0)),
        ),
        style=SourceIdentity(
            urls=tuple(map(str, styles)), scale=1.0, square_px=None, shares=(), digest="1" * 64, tone=None
        ),
        templates=draw_templates(PictureList(pixels), 5, seed=3, rotate=True),
        seed=3,
        size=(width, height),
        system="magic",
        warp="none",
        plan=TilingRecord(tile=grid.core_px, keep=False),
        statistics="exact",
        frozen=None,
        group=None,
        precision="fp32",
        threads=1,
        top=0,
    )
    manifest = Manifest(
        identity=identity,
        pictures=tuple(infos),
        skipped=(),
        canvas=canvas,
        statistics_digest="2" * 64,
        versions={"magic": "test"},
    )
    store.folder.write(IDENTITY, identity.to_bytes())
    FinishedPoster(str(folder), manifest).record()
    return FinishedPoster.at(str(folder))
