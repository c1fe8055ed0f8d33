import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from magic.networks.cost import Cost, bytes_kept
from magic.networks.norm import SuspendedPass
from tests.conftest import random_generator

SYSTEMS = [
    {},
    {"refiner_channels": 16},
    {"inducing_points": 2, "warp": "affine"},
    {"guided": False},
    {"system": "famos", "memory_size": 3},
]


@pytest.mark.parametrize("settings", SYSTEMS, ids=str)
def test_the_count_is_that_of_a_real_pass(settings):
    generator = random_generator(3, **settings).requires_grad_(False)
    content = torch.rand(1, 3, 160, 176) if generator.config.guided else None
    plain = sdpa_kernel(SDPBackend.MATH)  # fused attention on a CPU goes uncounted
    with FlopCounterMode(display=False) as counter, torch.no_grad(), plain:
        generator(content, torch.rand(1, 3, 3, 160, 176))
    cost = Cost(generator.config, num_templates=3)
    counted = sum(cost.flops(net, 160, 176) for net in generator.nets)
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.05)  # borders are padded, and count a little
    assert counted > 1e6


def test_a_statistics_pass_costs_less_the_earlier_its_norm():
    generator = random_generator(3)
    cost = Cost(generator.config, num_templates=3)
    costs = [cost.flops("mixing", 64, 64, number) for number in range(generator.num_statistics("mixing"))]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1] < cost.flops("mixing", 64, 64)


@pytest.mark.parametrize("settings", SYSTEMS, ids=str)
def test_a_suspended_pass_holds_no_more_than_is_said(settings):
    """All tensors that only the suspended pass holds, at every norm."""
    generator = random_generator(3, **settings)
    content = torch.rand(1, 3, 64, 64) if generator.config.guided else None
    with torch.no_grad():
        for net in generator.nets:
            pixels = torch.rand(1, 3, 3, 64, 64) if net == "mixing" else torch.rand(1, 3, 64, 64)
            stages = generator.mix(content, pixels) if net == "mixing" else generator.refine(pixels, content)
            suspended = SuspendedPass(stages)
            bound = bytes_kept(generator.config, net, 3, 64 * 64, "fp32")
            for number in range(generator.num_statistics(net)):
                suspended.advance([None] * number)
                assert bound / 8 <= held_bytes(suspended) <= bound


def held_bytes(suspended: SuspendedPass) -> int:
    """Bytes of the tensors that a suspended pass keeps alive in its frames, but for the parameters."""
    sizes, frames, coroutine = {}, [], suspended._stages
    while coroutine is not None:
        frames.append(coroutine.gi_frame)
        coroutine = coroutine.gi_yieldfrom
    for frame in frames:
        for value in frame.f_locals.values():
            for tensor in value if isinstance(value, list | tuple) else [value]:
                if isinstance(tensor, torch.Tensor) and not isinstance(tensor, torch.nn.Parameter):
                    sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(sizes.values())
