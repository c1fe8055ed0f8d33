"""What a tile costs, known before it is painted: floating-point operations, and memory of a suspended forward pass."""

from functools import lru_cache

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from magic.hyperparameters import GeneratorConfig, Precision
from magic.networks.generator import Generator, Net, build_generator
from magic.networks.norm import Moments, Stages, SuspendedPass
from magic.networks.warp import WARPS
from magic.precision import DTYPES


class Cost:
    """Counts the operations of a generator's networks on tiles of any size, without computing anything.

    Args:
        config: of the generator.
        num_templates: K.
    """

    def __init__(self, config: GeneratorConfig, num_templates: int) -> None:
        with torch.device("meta"):  # shapes without memory
            without_data = build_generator(config).requires_grad_(False)
        self._per_px = {net: _operations_per_px(without_data, net, num_templates) for net in without_data.nets}

    def flops(self, net: Net, height: int, width: int, statistic: int | None = None) -> int:
        """Floating-point operations of convolutions, products and attention; a multiply-add counts as two.

        Args:
            net: which network.
            height: of the tile's read box, in pixels.
            width: of the tile's read box, in pixels.
            statistic: number of a statistic, from 0: only the operations up to where it is measured. None: those of
                the whole network.
        """
        return round(self._per_px[net][-1 if statistic is None else statistic] * height * width)


@lru_cache(maxsize=64)
def cost_of(config: GeneratorConfig, num_templates: int) -> Cost:
    """The costs of a generator's networks, which take a moment to count and are remembered.

    Args:
        config: of the generator.
        num_templates: K.
    """
    return Cost(config, num_templates)


def _operations_per_px(generator: Generator, net: Net, num_templates: int) -> list[float]:
    """Operations for each pixel up to each statistic and, last, to the end; all of them grow with the area."""
    side = 64 * generator.config.multiple  # so large that padding at the borders does not matter
    statistics: list[Moments] = []
    counts = []
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        suspended = SuspendedPass(_stages(generator, net, num_templates, side))
        while len(statistics) < generator.num_statistics(net):
            channels = suspended.advance(statistics).shape[:2]
            counts.append(counter.get_total_flops() / side**2)
            statistics.append(Moments(1, np.zeros(channels), np.ones(channels)))  # meta tensors have no values
        suspended.finish(statistics)
    return [*counts, counter.get_total_flops() / side**2]


def _stages(generator: Generator, net: Net, num_templates: int, side: int) -> Stages:
    content = torch.empty(1, 3, side, side, device="meta") if generator.config.guided else None
    if net == "refiner":
        return generator.refine(torch.empty(1, 3, side, side, device="meta"), content)
    return generator.mix(content, torch.empty(1, num_templates, 3, side, side, device="meta"))


def bytes_kept(config: GeneratorConfig, net: Net, num_templates: int, pixels: int, precision: Precision) -> int:
    """An upper bound of the memory that a suspended forward pass holds, in bytes.

    At level l of the U-Net, a skip has C 2^l channels at 4^-(l+1) of the pixels. All skips together with the tensor
    that is about to be normalised never exceed twice the first skip. Where a warp averages its planes, the pass also
    stops with all planes at full resolution in float32.

    Args:
        config: of the generator.
        net: which network.
        num_templates: K.
        pixels: of the tile's read box.
        precision: of the forward pass.
    """
    size = DTYPES[precision].itemsize
    if net == "mixing" and config.traits.runs_per_template:
        warp = WARPS[config.warp]
        planes = (1 + warp.num_planes) * torch.float32.itemsize if warp.averages_planes else 0
        return num_templates * pixels * max(config.channels * size // 2, planes)
    return pixels * (config.refiner_width if net == "refiner" else config.channels) * size // 2
