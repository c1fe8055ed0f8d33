"""What a tile costs, before it is painted: multiplications, and memory that a kept pass holds."""

import copy

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from magic.hyperparameters import GeneratorConfig, Precision
from magic.networks.generator import Generator, Net
from magic.networks.norm import Moments, Pass, Stages
from magic.networks.warp import NUM_PLANES
from magic.precision import DTYPES


class Cost:
    """Counts the work of a generator's networks on tiles of any size, without doing it."""

    def __init__(self, generator: Generator, num_templates: int) -> None:
        on_paper = copy.deepcopy(generator).requires_grad_(False).to("meta")
        self._per_px = {net: _count(on_paper, net, num_templates) for net in generator.nets}

    def flops(self, net: Net, height: int, width: int, statistic: int | None = None) -> int:
        """Floating-point operations of convolutions, products and attention (two for a multiply-add).

        Args:
            net: which network.
            height: of the tile as it is read, in pixels.
            width: of the tile as it is read, in pixels.
            statistic: only up to what needs this statistic; left out: the whole network.
        """
        return round(self._per_px[net][-1 if statistic is None else statistic] * height * width)


def _count(generator: Generator, net: Net, num_templates: int) -> list[float]:
    """Operations for each pixel up to each statistic and, last, to the end. All of a network grows with the area."""
    side = 64 * generator.config.multiple  # so large that what is padded around it does not count
    given: list[Moments] = []
    counts = []
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        begun = Pass(_stages(generator, net, num_templates, side))
        while len(given) < generator.num_statistics(net):
            channels = begun.reach(given).shape[:2]
            counts.append(counter.get_total_flops() / side**2)
            given.append(Moments(1, np.zeros(channels), np.ones(channels)))  # meta tensors have none to measure
        begun.finish(given)
    return [*counts, counter.get_total_flops() / side**2]


def _stages(generator: Generator, net: Net, num_templates: int, side: int) -> Stages:
    content = torch.empty(1, 3, side, side, device="meta") if generator.config.guided else None
    if net == "refiner":
        return generator.refine(torch.empty(1, 3, side, side, device="meta"), content)
    return generator.mix(content, torch.empty(1, num_templates, 3, side, side, device="meta"))


def bytes_kept(config: GeneratorConfig, net: Net, num_templates: int, pixels: int, precision: Precision) -> int:
    """The most that a pass over so many pixels holds between two sweeps.

    Skips have C 2^l channels at 4^-(l+1) of the pixels; together with what is about to be normalised they never
    exceed twice the first. An affine warp's mean is taken of planes at full size, in float32.
    """
    size = DTYPES[precision].itemsize
    if net == "mixing" and config.system == "magic":
        whole = (1 + NUM_PLANES["affine"]) * torch.float32.itemsize if config.warp == "affine" else 0
        return num_templates * pixels * max(config.channels * size // 2, whole)
    return pixels * (config.refiner_width if net == "refiner" else config.channels) * size // 2
