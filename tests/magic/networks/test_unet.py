from functools import partial

import pytest
import torch
import torch.nn.functional as F

from magic.geometry import Halo
from magic.networks.norm import Moments, SuspendedPass
from magic.networks.set_attention import SetAttention
from magic.networks.unet import UNet, UpConv


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (16, 3)])
def test_four_phase_convolutions_equal_upsampling_and_a_5x5_convolution(size):
    torch.manual_seed(0)
    up = UpConv(3, 4).double()
    torch.nn.init.normal_(up.bias)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    plain = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), up.weight, up.bias, padding=2)
    assert torch.allclose(up(x), plain, atol=1e-12, rtol=0)


def reach_of_impulses(net: UNet, depth: int, num_elements: int, norm: int | None = None) -> Halo:
    """How far around an aligned block of output, or of what a norm normalises, the input has any influence."""
    multiple = 2**depth
    start = 5 * multiple
    x = torch.rand(num_elements, 3, 10 * multiple, 10 * multiple, dtype=torch.float64, requires_grad=True)
    unit = [
        Moments(1, torch.zeros(num_elements, c).double().numpy(), torch.ones(num_elements, c).double().numpy())
        for c in (block.norm.weight.numel() for block in [*net.encoder, *net.decoder])
    ]
    suspended = SuspendedPass(net.stages(x, num_elements))
    y = suspended.finish(unit) if norm is None else suspended.advance(unit[:norm])
    factor = x.shape[-1] // y.shape[-1]
    block = slice(start // factor, (start + multiple) // factor)
    y[..., block, block].sum().backward()
    touched = x.grad.abs().sum((0, 1))
    rows, columns = (touched.sum(axis).nonzero().flatten() for axis in (1, 0))
    assert rows[0] == columns[0]
    assert rows[-1] == columns[-1]
    return Halo(start - int(rows[0]), int(rows[-1]) - (start + multiple - 1))


@pytest.mark.parametrize("heads", [None, 1])
@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_halo_of_the_module_graph_is_what_an_impulse_sees(depth, heads):
    torch.manual_seed(depth)
    attention = partial(SetAttention, heads=heads) if heads else lambda channels: None
    net = UNet(3, 1, channels=1 if heads is None else 2, depth=depth, attention=attention).double()
    for name, parameter in net.named_parameters():
        if "attention" not in name:
            parameter.data.abs_().add_(1e-3)  # nothing positive is cut off by a ReLU or cancels out
    assert reach_of_impulses(net, depth, 1 if heads is None else 2) == net.halo
    for norm in range(net.num_norms):
        assert reach_of_impulses(net, depth, 1 if heads is None else 2, norm) == net.halo_of_norm(norm)
    assert net.halo_of_norm(net.num_norms) == net.halo


def test_the_halo_at_paper_depth():
    assert UNet(6, 1, channels=1, depth=5).halo == Halo(126, 95)
