from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from magic.geometry import Box
from magic.hyperparameters import Warp
from magic.networks.warp import AFFINE_GAIN, WARPS, affine_displacement, neighbours, sample

CANVAS = Box(0, 0, 24, 36)
MOVING = [name for name, kind in WARPS.items() if kind.displacement is not None]


def test_every_warp_that_can_be_chosen_is_registered():
    assert set(WARPS) == set(get_args(Warp))


@pytest.mark.parametrize("name", WARPS)
def test_a_registered_warp_is_whole(name):
    kind = WARPS[name]
    assert (kind.displacement is None) == (kind.num_planes == 0)
    assert not kind.averages_planes or kind.num_planes > 0


def picture(n=2, seed=0):
    return torch.rand(n, 3, 24, 36, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", MOVING)
def test_planes_of_zeros_mean_no_displacement(name):
    field = WARPS[name].displacement(torch.zeros(2, WARPS[name].num_planes, 24, 36), 9.0, CANVAS, CANVAS)
    assert field.shape == (2, 2, 24, 36)
    assert (field == 0).all()
    assert torch.equal(sample(picture(), CANVAS, neighbours(field, CANVAS, CANVAS)), picture())


def test_whole_steps_are_shifts_and_halves_are_means():
    field = torch.zeros(2, 2, 24, 36)
    field[:, 0], field[:, 1] = 2.0, -0.5
    moved = sample(picture(), CANVAS, neighbours(field, CANVAS, CANVAS))
    below = picture()[:, :, 2:]
    expected = (below[..., 1:] + below[..., :-1]) / 2
    assert torch.allclose(moved[:, :, :22, 1:], expected, atol=1e-6)
    assert torch.allclose(moved[:, :, 22, 1:], (picture()[:, :, 22, 1:] + picture()[:, :, 22, :-1]) / 2, atol=1e-6)


def test_samples_are_torchs_grid_samples():
    """Within the canvas; torch mirrors with align_corners at the same places."""
    torch.manual_seed(0)
    field = 30 * torch.rand(2, 2, 24, 36) - 15
    rows = (torch.arange(24.0)[:, None] + field[:, 0]) * 2 / 23 - 1
    columns = (torch.arange(36.0) + field[:, 1]) * 2 / 35 - 1
    grid = torch.stack([columns, rows], -1)
    expected = F.grid_sample(picture(), grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    got = sample(picture(), CANVAS, neighbours(field, CANVAS, CANVAS))
    assert torch.allclose(got, expected, atol=1e-4)


def test_an_affine_warp_turns_about_the_centre_of_the_canvas():
    planes = torch.zeros(1, 6, 24, 36)
    planes[:, 3], planes[:, 4] = 50.0, -50.0  # saturated: right by the gain times the row, up by that times the column
    field = affine_displacement(planes, 9.0, CANVAS, CANVAS)
    down, right = torch.arange(24.0) - 11.5, torch.arange(36.0) - 17.5
    assert torch.allclose(field[0, 1], AFFINE_GAIN * down[:, None].expand(24, 36))
    assert torch.allclose(field[0, 0], -AFFINE_GAIN * right.expand(24, 36))


@given(st.integers(0, 16), st.integers(0, 24), st.sampled_from(MOVING))
def test_a_part_of_the_canvas_is_sampled_as_the_whole_is(top, left, name):
    torch.manual_seed(top * 40 + left)
    kind = WARPS[name]
    planes = torch.randn(2, kind.num_planes, 24, 36)
    if kind.averages_planes:
        planes = planes[..., :1, :1].expand(-1, -1, 24, 36)
    whole = sample(picture(), CANVAS, neighbours(kind.displacement(planes, 9.0, CANVAS, CANVAS), CANVAS, CANVAS))
    box = Box(top, left, top + 8, left + 12)
    rows, columns = box.slices
    at = neighbours(kind.displacement(planes[..., rows, columns], 9.0, box, CANVAS), box, CANVAS)
    seen_rows, seen_columns = at.box.slices
    part = sample(picture()[..., seen_rows, seen_columns], at.box, at)
    assert np.array_equal(part.numpy(), whole[..., rows, columns].numpy())
