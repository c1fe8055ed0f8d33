"""The layers that a poster may have: one table."""

from dataclasses import dataclass

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
    has_pyramid: bool = True
    """Whether it is stored at smaller sizes, too."""
    is_picture: bool = False
    """Whether people look at it: it can be exported and is shown in viewers."""


LAYERS: dict[str, Layer] = {
    "output": Layer(dtype="uint8", num_channels=3, is_picture=True),
    "collage": Layer(dtype="uint8", num_channels=3, is_picture=True),
    "labels": Layer(dtype="uint16", num_channels=1, has_means=False, is_picture=True),
    UNREFINED: Layer(dtype="float32", num_channels=3, has_pyramid=False),
    "top_labels": Layer(dtype="uint16", num_channels=None, has_means=False),
    "top_weights": Layer(dtype="uint8", num_channels=None, has_means=False),
}
"""By name, in the order in which people want to see them.

output: I. collage: I_M. labels: argmax A. unrefined: I_M before it is rounded. top_labels, top_weights: the templates
with the largest weights at each pixel, and these weights from 0 to 255.
"""
