"""A short look at a worker before a poster is planned: how fast it computes, and what a tile takes of its memory."""

import ctypes
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
import psutil
import ray
import torch
from numpy import ndarray

from magic.geometry import Box, Tile, round_up
from magic.networks.generator import Generator, Net
from magic.networks.norm import Moments
from magic.pixels import to_uint8
from magic.scene.cost import Cost
from magic.scene.renderer import TileRenderer
from pipelines.painting.painter import PosterTask, layers_of, on_a_worker, renderer_here
from pipelines.store.poster_store import UNREFINED

MOST_FLOPS = 3e10
"""Of the probe: a second or so of a CPU core."""
MOST_PX = 512
USED_SHARE = 0.7
"""Of the memory that is free: Ray, the system and other programs want some, too."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one worker can do."""

    flops_per_s: dict[Net, float]
    """Of each network: floating-point operations a second."""
    peak_bytes: float
    """Of memory in use at once, for each pixel of a tile as it is read."""
    stored_bytes: dict[str, float]
    """Of each layer, for each pixel, as it is stored."""
    store_seconds: float
    """To compress what is stored of a pixel, all layers together."""
    memory_bytes: int
    """That a worker may use for tiles."""
    device: str


def probe(task: PosterTask, num_workers: int, gpus_per_worker: float) -> Probe:
    """Ask a worker; waits for the cluster's room for one.

    Args:
        task: what it will paint.
        num_workers: how many there will be.
        gpus_per_worker: GPUs that each will have, 0 for none; of a part of one it says what memory is left to each.
    """
    return on_a_worker(_probe, task, num_workers, gpus_per_worker, gpus_per_worker=gpus_per_worker)


def _probe(task: PosterTask, num_workers: int, gpus_per_worker: float) -> Probe:
    renderer = renderer_here(task)
    generator, device = renderer.generator, renderer.device
    cost = Cost(generator, len(task.scene.memory.templates))
    canvas, multiple = task.scene.canvas, generator.config.multiple
    side = probe_px(generator, cost, min(canvas.height, canvas.width))
    for px in (2 * multiple, side):  # the first one warms up
        top, left = ((length - px) // 2 // multiple * multiple for length in (canvas.height, canvas.width))
        box = Box(max(top, 0), max(left, 0), *(min(n, m + px) for n, m in ((canvas.height, top), (canvas.width, left))))
        free = _free_bytes(device, min(num_workers, _most_together(device, task.threads, gpus_per_worker)))
        peak = _peak_of_memory(device)
        seconds, layers = _paint(renderer, Tile(0, 0, box, box), task)
        pixels = box.height * box.width
    speeds = {net: cost.flops(net, box.height, box.width) / seconds[net] for net in generator.nets}
    stored, store_seconds = _compressed(layers)
    return Probe(
        flops_per_s=speeds,
        # twice what is stored: of the tile that is painted, and of the one before, which is being written
        peak_bytes=peak() / pixels + 2 * sum(pixels.itemsize * len(pixels) for pixels in layers.values()),
        stored_bytes={name: size / pixels for name, size in stored.items()},
        store_seconds=store_seconds / pixels,
        memory_bytes=free,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
    )


def probe_px(generator: Generator, cost: Cost, shorter_side: int) -> int:
    """Side of the square to try: as large as can be painted in about a second, and no larger than the canvas."""
    multiple = generator.config.multiple
    side = round_up(MOST_PX, multiple)
    while side > 2 * multiple and sum(cost.flops(net, side, side) for net in generator.nets) > MOST_FLOPS:
        side = round_up(side // 2, multiple)
    return min(side, shorter_side // multiple * multiple)


def _paint(renderer: TileRenderer, tile: Tile, task: PosterTask) -> tuple[dict[Net, float], dict[str, ndarray]]:
    """The seconds that each network takes for a tile with its own statistics, and what it stores of it."""
    seconds: dict[Net, float] = {}
    layers: dict[str, ndarray] = {}
    for net in renderer.generator.nets:
        statistics: list[Moments] = []
        start = time.perf_counter()
        collage = layers[UNREFINED] if net == "refiner" else None
        begun = renderer.start(net, tile.read, collage)
        for _ in range(task.sweeps[net]):
            statistics.append(renderer.measure(begun, tile, statistics))
        if collage is None:
            layers |= layers_of(renderer.mix(begun, tile, statistics), task)
        else:
            image = renderer.refine(begun, tile, statistics, collage)
            layers["output"] = to_uint8(image).cpu().numpy()
        seconds[net] = time.perf_counter() - start
    return seconds, layers


def _compressed(layers: dict[str, ndarray]) -> tuple[dict[str, int], float]:
    """Bytes of each layer in the store, and the seconds that it takes to compress them all."""
    start, encode = time.perf_counter(), partial(imagecodecs.zstd_encode, level=1)
    sizes = {name: len(encode(pixels.tobytes())) for name, pixels in layers.items()}
    return sizes, time.perf_counter() - start


def _most_together(device: torch.device, threads: int, gpus_per_worker: float) -> int:
    """How many workers share a GPU, or this machine's memory, at most."""
    if device.type == "cuda":
        return workers_on_a_gpu(gpus_per_worker)
    return max(int(_granted("CPU", os.cpu_count() or 1)) // threads, 1)


def _granted(resource: str, otherwise: float) -> float:
    """How much of a resource Ray gives out on this machine, and what to think where it does not say."""
    here = ray.get_runtime_context().get_node_id()
    nodes = [node["Resources"] for node in ray.nodes() if node["NodeID"] == here]
    return float(nodes[0].get(resource, otherwise)) if nodes else otherwise


def workers_on_a_gpu(gpus_per_worker: float) -> int:
    """How many workers that want a part of a GPU, or all of it, Ray puts on one."""
    return int(1 / gpus_per_worker + 1e-4)  # Ray counts in ten-thousandths


def _free_bytes(device: torch.device, sharers: int) -> int:
    """Memory that each of so many workers on this GPU, or on this machine, may use."""
    if device.type == "cuda":
        return int(USED_SHARE * torch.cuda.mem_get_info(device)[0] / sharers)
    return int(min(USED_SHARE * psutil.virtual_memory().available, _granted("memory", np.inf)) / sharers)


def _peak_of_memory(device: torch.device) -> Callable[[], int]:
    """Gives the most memory in use from now on, beyond what is in use now, in bytes.

    What a process frees, its allocator may hold for the next time. A worker that has painted before would then seem
    to need next to nothing, so it is given back first.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        used = torch.cuda.memory_allocated(device)
        return lambda: torch.cuda.max_memory_allocated(device) - used
    watermark = Path("/proc/self/clear_refs")
    linux = os.access(watermark, os.W_OK)
    if linux and (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # glibc's
        give_back(0)
    before = psutil.Process().memory_info().rss
    if not linux:
        return lambda: psutil.Process().memory_info().rss - before
    watermark.write_text("5")
    return lambda: _high_water() - before


def _high_water() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
