"""The systems that the paper compares MAGIC with (appendix III). They are made of the same blocks as MAGIC, and are
trained and rendered in the same way.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from magic.checks import require
from magic.hyperparameters import GeneratorConfig
from magic.networks.generator import Collage, Generator, paint_over
from magic.networks.norm import Stages
from magic.networks.unet import UNet


class ConvolutionalMosaic(Generator):
    """A fully convolutional mosaic (Jetchev, Bergmann, Seward 2017): one U-Net paints the content, without a memory.

    Its weights A are a single plane of ones: the whole picture counts as one piece.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.mixing = UNet(3, 3, channels=config.channels, depth=config.depth)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """Three colours before tanh, [B 3 H W]; the templates are ignored."""
        assert content is not None
        return self.mixing.stages(content)

    def pool(self, planes: Float[Tensor, "N P h w"], templates: Float[Tensor, "B K 3 h w"]) -> Collage:
        """The painted picture is both collage and output."""
        image = planes.float().tanh()
        return Collage(image, image, torch.ones_like(image[:, :1]), painted=torch.ones_like(image[:, :1]))


class FamosHybrid(Generator):
    """FAMOS (Jetchev, Bergmann, Yildirim 2018): a fixed, ordered memory of N templates; pixels are copied or painted.

    The input of its one U-Net is the content and all templates, stacked along the channels. The output is N logits, a
    painted picture and alpha, the share of it: I = alpha painted + (1 - alpha) sum_k A_k M_k. The original gives its
    network the place on the canvas instead of the templates, and the network learns by heart what each template shows
    there. This one sees the templates, so that what it paints depends only on what lies around a pixel, and posters may
    have any size.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        assert config.memory_size is not None
        self.num_templates = config.memory_size
        inputs, outputs = 3 + 3 * self.num_templates, self.num_templates + 4
        self.mixing = UNet(inputs, outputs, channels=config.channels, depth=config.depth)

    def mix(self, content: Float[Tensor, "B 3 H W"] | None, templates: Float[Tensor, "B K 3 H W"]) -> Stages:
        """N logits, three colours before tanh and the logit of alpha: [B N+4 H W].

        Raises:
            ValueError: if the number of templates is not N.
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
        """Blend the templates by the softmax of their logits, and the painted picture over them."""
        logits, painted = planes.float().tensor_split((self.num_templates,), 1)
        weights = logits.softmax(1)
        collage = (weights[:, :, None] * templates).sum(1)
        image, alpha = paint_over(collage, painted)
        return Collage(image, collage, weights, painted=alpha, painted_over=True)
