"""The PatchGAN discriminator (appendix I): it yields a map of logits, one for each patch of the picture."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from magic.hyperparameters import DiscriminatorConfig
from magic.networks.norm import InstanceNorm
from magic.networks.unet import DownConv


class PatchDiscriminator(nn.Module):
    """5x5 convolutions of stride 2, with instance norm after all but the first and the last (DCGAN)."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        widths = [min(config.channels << level, config.max_channels) for level in range(config.depth - 1)]
        convs: list[nn.Module] = [DownConv(i, o) for i, o in pairwise([3, *widths, 1])]
        self.convs = nn.ModuleList(map(spectral_norm, convs) if config.spectral_norm else convs)
        self.norms = nn.ModuleList(InstanceNorm(width) for width in widths[1:])

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 h w"]:
        """Logits, positive where a patch looks like a style picture; h and w are H and W / 2^depth, rounded up."""
        x = image
        for level, conv in enumerate(self.convs[:-1]):
            x = conv(x)
            if level > 0:
                x = self.norms[level - 1](x, None)
            x = F.leaky_relu(x, 0.2)
        return self.convs[-1](x)  # type: ignore[no-any-return]
