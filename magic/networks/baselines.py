"""The systems that the paper compares with (appendix III), from the same blocks and for the same road."""

import torch
from jaxtyping import Float
from torch import Tensor

from magic.checks import require
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Collage, Generator, MagicGenerator, Net, paint_over
from magic.networks.norm import Stages
from magic.networks.unet import UNet


class ConvolutionalMosaic(Generator):
    """A fully convolutional mosaic (Jetchev, Bergmann, Seward 2017): one U-Net paints the content, without a memory.

    Its weights are a single plane of ones: all of the picture is one painted piece.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.mixing = UNet(3, 3, channels=config.channels, depth=config.depth)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """The painted picture, [B 3 H W]; the templates are not looked at."""
        assert content is not None
        return self.mixing.stages(content)

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """The painted picture is the output."""
        image = planes.float().tanh()
        return Collage(image, image, torch.ones_like(image[:, :1]), painted=torch.ones_like(image[:, :1]))

    def num_statistics(self, net: Net) -> int:
        """Those of the norms."""
        return self.mixing.num_norms


class FamosHybrid(Generator):
    """FAMOS (Jetchev, Bergmann, Yildirim 2018): a fixed, ordered memory of N templates; pixels are copied or painted.

    One U-Net sees the content and all templates, one behind the other, and gives N logits, a painted picture and
    the share alpha of it: I = alpha painted + (1 - alpha) sum_k A_k M_k. FAMOS tells its network the place on the
    canvas, from which it learns what the memory holds there; this one sees the memory, so that it stays a function
    of what lies around a pixel and posters may have any size.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        assert config.memory_size is not None
        self.num_templates = config.memory_size
        inputs, outputs = 3 + 3 * self.num_templates, self.num_templates + 4
        self.mixing = UNet(inputs, outputs, channels=config.channels, depth=config.depth)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """N logits, three colours and the logit of alpha: [B N+4 H W].

        Raises:
            ValueError: if there are not N templates.
        """
        assert content is not None
        require(
            templates.shape[1] == self.num_templates,
            f"the {self.num_templates} templates of the model's fixed memory",
            templates.shape[1],
            "leave the number of templates as in training",
        )
        return self.mixing.stages(torch.cat([content, templates.flatten(1, 2)], 1))

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """Blend the templates, and the painted picture over them."""
        logits, painted = planes.float().tensor_split((self.num_templates,), 1)
        weights = logits.softmax(1)
        collage = (weights[:, :, None] * templates).sum(1)
        image, alpha = paint_over(collage, painted)
        return Collage(image, collage, weights, painted=alpha)

    def num_statistics(self, net: Net) -> int:
        """Those of the norms."""
        return self.mixing.num_norms


def build_generator(config: GeneratorConfig) -> Generator:
    """A fresh generator of the configured system."""
    systems: dict[str, type[Generator]] = {
        "magic": MagicGenerator,
        "famos": FamosHybrid,
        "mosaic": ConvolutionalMosaic,
    }
    return systems[config.system](config)
