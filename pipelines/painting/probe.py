"""A short trial on a worker before a poster is planned: how fast it computes, and how much memory a tile takes."""

import os
import time
from dataclasses import dataclass
from functools import partial

import imagecodecs
import numpy as np
import psutil
import ray
import torch
from numpy import ndarray

from magic.geometry import Box, Canvas, Tile, round_up
from magic.networks.cost import Cost, cost_of
from magic.networks.generator import Generator, Net
from magic.scene.renderer import TileRenderer
from pipelines.painting.painting import Painting
from pipelines.painting.peak_memory import peak_memory
from pipelines.painting.poster_task import PosterTask
from pipelines.painting.tile_layers import paint_net
from pipelines.posters.layers import UNREFINED
from pipelines.posters.poster_store import ZSTD_LEVEL
from pipelines.workers.stages import Steps

MAX_FLOPS = 3e10
"""Operations of the trial: about a second of a CPU core."""
MAX_SIDE_PX = 512
USABLE_SHARE = 0.7
"""Of the free memory: Ray, the system and other programs need some, too."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one worker can do."""

    flops_per_s: dict[Net, float]
    """Floating-point operations a second, for each network."""
    peak_bytes: float
    """The most memory in use at once, for each pixel of a tile as it is read."""
    stored_bytes: dict[str, float]
    """What each layer takes in the store, for each pixel."""
    store_seconds: float
    """Time to compress what is stored of a pixel, all layers together."""
    memory_bytes: int
    """Memory that a worker may use for tiles."""
    device: str
    """Name of the GPU, or CPU."""


def probe(painting: Painting, num_workers: int, gpus_per_worker: float) -> Steps[Probe]:
    """Let a worker paint a small piece of a poster: a work of one stage.

    Args:
        painting: what it will paint.
        num_workers: how many workers there will be.
        gpus_per_worker: GPUs that each will have, 0 for none. Workers that share a GPU share its memory.
    """
    # counted here once: to count, PyTorch imports its compiler, which takes as long as all else of a worker's start
    cost = cost_of(painting.generator.config, len(painting.task.scene.memory.templates))
    return painting.on_one_worker("probe", _probe, cost, num_workers, gpus_per_worker)


def _probe(task: PosterTask, renderer: TileRenderer, cost: Cost, num_workers: int, gpus_per_worker: float) -> Probe:
    generator, device, canvas = renderer.generator, renderer.device, task.scene.canvas
    side = probe_px(generator, cost, min(canvas.height, canvas.width))
    sharers = min(num_workers, _max_sharers(device, task.threads, gpus_per_worker))
    for px in (2 * generator.config.multiple, side):  # the first one warms up
        box = _middle(canvas, px, generator.config.multiple)
        free_bytes = _free_bytes(device, sharers)
        peak = peak_memory(device)
        seconds, layers = _paint(renderer, Tile(box, box), task)
    stored, store_seconds = _compressed(layers)
    # twice what is stored: of the tile that is painted, and of the one before it, which is still being written
    written_bytes = 2 * sum(pixels.itemsize * len(pixels) for pixels in layers.values())
    return Probe(
        flops_per_s={net: cost.flops(net, box.height, box.width) / seconds[net] for net in generator.nets},
        peak_bytes=peak() / box.area + written_bytes,
        stored_bytes={name: size / box.area for name, size in stored.items()},
        store_seconds=store_seconds / box.area,
        memory_bytes=free_bytes,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
    )


def _middle(canvas: Canvas, side_px: int, multiple: int) -> Box:
    """A square in the middle of the canvas that starts at multiples, as far as the canvas reaches."""
    top, left = ((length - side_px) // 2 // multiple * multiple for length in (canvas.height, canvas.width))
    return Box(max(top, 0), max(left, 0), min(canvas.height, top + side_px), min(canvas.width, left + side_px))


def probe_px(generator: Generator, cost: Cost, shorter_side: int) -> int:
    """Side of the square to try: as large as can be painted in about a second, and no larger than the canvas."""
    multiple = generator.config.multiple
    side = round_up(MAX_SIDE_PX, multiple)
    while side > 2 * multiple and sum(cost.flops(net, side, side) for net in generator.nets) > MAX_FLOPS:
        side = round_up(side // 2, multiple)
    return min(side, shorter_side // multiple * multiple)


def _paint(renderer: TileRenderer, tile: Tile, task: PosterTask) -> tuple[dict[Net, float], dict[str, ndarray]]:
    """The seconds that each network takes for a tile with its own statistics, and the layers that it gives."""
    seconds: dict[Net, float] = {}
    layers: dict[str, ndarray] = {}
    for net in renderer.generator.nets:
        started = time.perf_counter()
        collage = layers[UNREFINED] if net == "refiner" else None
        layers |= paint_net(renderer, task, tile, None, collage)[1]
        seconds[net] = time.perf_counter() - started
    return seconds, layers


def _compressed(layers: dict[str, ndarray]) -> tuple[dict[str, int], float]:
    """Bytes of each layer in the store, and the seconds that it takes to compress them all."""
    started, encode = time.perf_counter(), partial(imagecodecs.zstd_encode, level=ZSTD_LEVEL)
    sizes = {name: len(encode(pixels.tobytes())) for name, pixels in layers.items()}
    return sizes, time.perf_counter() - started


def _max_sharers(device: torch.device, threads: int, gpus_per_worker: float) -> int:
    """The most workers that share a GPU, or this machine's memory."""
    if device.type == "cuda":
        return workers_on_a_gpu(gpus_per_worker)
    return max(int(_node_resource("CPU", os.cpu_count() or 1)) // threads, 1)


def _node_resource(resource: str, default: float) -> float:
    """How much of a resource Ray gives out on this machine; the default where Ray does not say."""
    node_id = ray.get_runtime_context().get_node_id()
    resources = [node["Resources"] for node in ray.nodes() if node["NodeID"] == node_id]
    return float(resources[0].get(resource, default)) if resources else default


def workers_on_a_gpu(gpus_per_worker: float) -> int:
    """How many workers Ray puts on one GPU, if each wants that share of it."""
    return int(1 / gpus_per_worker + 1e-4)  # Ray counts in ten-thousandths


def _free_bytes(device: torch.device, sharers: int) -> int:
    """Memory that each of so many workers on this GPU, or on this machine, may use."""
    if device.type == "cuda":
        return int(USABLE_SHARE * torch.cuda.mem_get_info(device)[0] / sharers)
    available = USABLE_SHARE * psutil.virtual_memory().available
    return int(min(available, _node_resource("memory", np.inf)) / sharers)
