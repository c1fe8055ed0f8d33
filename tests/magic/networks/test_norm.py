import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from magic.geometry import Box
from magic.networks.norm import InstanceNorm, Moments, measure


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.floats(-1e4, 1e4))
def test_merged_moments_are_those_of_all_pixels(sizes, offset):
    rng = np.random.default_rng(sum(sizes))
    parts = [torch.from_numpy(rng.normal(offset, 1.0, (2, 3, 1, n))) for n in sizes]
    merged: Moments | None = None
    for part in parts:
        moments = measure(part, Box(0, 0, 1, part.shape[-1]))
        merged = moments if merged is None else merged.merge(moments)
    whole = torch.cat(parts, -1).flatten(2).numpy()
    assert merged.count == sum(sizes)
    assert np.allclose(merged.mean, whole.mean(2), rtol=1e-12)
    assert np.allclose(merged.variance, whole.var(2), rtol=1e-6, atol=1e-9)


def test_given_statistics_of_the_whole_give_what_its_own_would():
    torch.manual_seed(0)
    norm = InstanceNorm(3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 3, 8, 8) * 5 + 3
    given_statistics = measure(x, Box(0, 0, 8, 8))
    assert torch.allclose(norm(x, given_statistics), norm(x, None), atol=1e-5)


def test_only_the_core_is_measured():
    x = torch.zeros(1, 1, 4, 4)
    x[..., 1:3, 1:3] = 7.0
    moments = measure(x, Box(1, 1, 3, 3))
    assert (moments.count, moments.mean.item(), moments.m2.item()) == (4, 7.0, 0.0)
