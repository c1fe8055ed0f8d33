import pytest
import torch

from magic.hyperparameters import DiscriminatorConfig
from magic.networks.discriminator import PatchDiscriminator


def largest_singular_values(discriminator):
    return [torch.linalg.svdvals(conv.weight.detach().flatten(1))[0].item() for conv in discriminator.convs]


def test_spectral_norm_brings_every_layers_largest_singular_value_to_one():
    torch.manual_seed(0)
    plain, normed = (
        PatchDiscriminator(DiscriminatorConfig(channels=8, depth=3, spectral_norm=on)) for on in (False, True)
    )
    for _ in range(50):
        normed(torch.rand(1, 3, 32, 32))
    assert largest_singular_values(normed.eval()) == pytest.approx([1.0, 1.0, 1.0], abs=0.01)
    assert all(abs(value - 1) > 0.05 for value in largest_singular_values(plain))
