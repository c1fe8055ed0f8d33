"""The layers that a poster may have: one table."""

from dataclasses import dataclass

import numpy as np

UNREFINED = "unrefined"
"""The layer that the refiner reads; it goes when the poster is painted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What is known of one layer."""

    dtype: str
    """Of its values."""
    num_channels: int | None
    """Values of each pixel. None: as many as the poster keeps of the largest weights."""
    has_means: bool = True
    """Whether its values can be averaged. Of four numbers that cannot, a pyramid level keeps the upper left one."""
    holds_labels: bool = False
    """Whether its values are numbers of templates, which people see in the templates' colours."""
    is_temporary: bool = False
    """Whether it goes when the poster is painted. Such a layer has no pyramid."""
    is_picture: bool = False
    """Whether people look at it: it can be exported and is shown in viewers."""

    @property
    def bytes_per_px(self) -> int:
        """Of a layer whose number of channels is fixed, before it is compressed."""
        assert self.num_channels is not None
        return self.num_channels * np.dtype(self.dtype).itemsize


LAYERS: dict[str, Layer] = {
    "output": Layer(dtype="uint8", num_channels=3, is_picture=True),
    "collage": Layer(dtype="uint8", num_channels=3, is_picture=True),
    "labels": Layer(dtype="uint16", num_channels=1, has_means=False, holds_labels=True, is_picture=True),
    UNREFINED: Layer(dtype="float32", num_channels=3, is_temporary=True),
    "top_labels": Layer(dtype="uint16", num_channels=None, has_means=False, holds_labels=True),
    "top_weights": Layer(dtype="uint8", num_channels=None, has_means=False),
}
"""By name, in the order in which people want to see them.

output: I. collage: I_M. labels: argmax A. unrefined: I_M before it is rounded. top_labels, top_weights: the templates
with the largest weights at each pixel, and these weights from 0 to 255.
"""
