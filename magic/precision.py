"""The number formats in which networks compute."""

import torch

from magic.hyperparameters import Precision

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The torch type of each precision."""


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which networks run: convolutions and products in this precision, weights in float32 always."""
    return torch.autocast(device.type, DTYPES[precision], enabled=precision != "fp32")
