"""What the pipelines hand to a training step."""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from magic.pixels import from_uint8


class Batch(NamedTuple):
    """The crops of one step, as RGB in 8-bit levels. They become floats on the device, which costs least there."""

    templates: UInt8[Tensor, "B K 3 H W"]
    """Memory sets M, of K style patches each."""
    style: UInt8[Tensor, "B 3 H W"]
    """Style patches that the discriminator takes as real."""
    content: UInt8[Tensor, "B 3 H W"] | None = None
    """Content patches I_C, one for each memory set; None for an unguided generator."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device; copying to a GPU may go on after the call."""
        content = None if self.content is None else self.content.to(device, non_blocking=True)
        return Batch(self.templates.to(device, non_blocking=True), self.style.to(device, non_blocking=True), content)

    def normalised(
        self,
    ) -> tuple[Float[Tensor, "B K 3 H W"], Float[Tensor, "B 3 H W"], Float[Tensor, "B 3 H W"] | None]:
        """Templates, style and content in [-1, 1]."""
        content = None if self.content is None else from_uint8(self.content)
        return from_uint8(self.templates), from_uint8(self.style), content
