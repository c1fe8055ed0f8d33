"""What the pipelines hand to a training step."""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from magic.pixels import from_uint8


class Batch(NamedTuple):
    """One step's crops, as 8-bit RGB: they are normalised on the device, where that costs least."""

    templates: UInt8[Tensor, "B K 3 H W"]
    """Memory sets M: K style patches each."""
    style: UInt8[Tensor, "B 3 H W"]
    """Style patches that the discriminator takes as real."""
    content: UInt8[Tensor, "B 3 H W"] | None = None
    """Content patches I_C, one for each memory set; none where collages are unguided."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        content = None if self.content is None else self.content.to(device, non_blocking=True)
        return Batch(self.templates.to(device, non_blocking=True), self.style.to(device, non_blocking=True), content)

    def normalised(
        self,
    ) -> tuple[Float[Tensor, "B K 3 H W"], Float[Tensor, "B 3 H W"], Float[Tensor, "B 3 H W"] | None]:
        """Templates, style and content in [-1, 1]."""
        content = None if self.content is None else from_uint8(self.content)
        return from_uint8(self.templates), from_uint8(self.style), content
