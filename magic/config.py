"""Configuration of the model and of its training step. Imports nothing heavy, so `--help` is instant."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]


def require(ok: bool, expected: str, got: object, advice: str) -> None:
    """Raise the one kind of error that a user's input may cause.

    Raises:
        ValueError: if not ok, saying what was expected, what came and what to do.
    """
    if not ok:
        raise ValueError(f"expected {expected}, got {got!r}; {advice}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratorConfig:
    """The mixing network and the refiner (appendix I)."""

    channels: int = 48
    """Channels after the first halving; each further halving doubles them (appendix I: 48)."""
    depth: int = 5
    """Number of halvings; heights and widths must be multiples of 2^depth (appendix I: 5)."""
    heads: int = 4
    """Attention heads of every set-transformer block; must divide the channels."""
    refine: Literal["paint", "correct"] = "paint"
    """paint (the paper's): the refiner paints the output from the collage. correct: it paints a correction
    of at most 16 of the 256 levels, starting at zero: short trainings keep the collage's sharpness and colours."""
    refiner_sees_content: bool = False
    """Whether the refiner also sees the content picture (the paper's does not)."""

    def __post_init__(self) -> None:
        require(self.channels >= 1, "channels >= 1", self.channels, "give a positive number")
        require(1 <= self.depth <= 8, "a depth in 1..8", self.depth, "the paper uses 5")
        require(
            self.heads >= 1 and self.channels % self.heads == 0,
            f"heads that divide the {self.channels} channels",
            self.heads,
            "change heads or channels",
        )

    @property
    def multiple(self) -> int:
        """What heights and widths must be a multiple of: 2^depth pixels."""
        return 1 << self.depth


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorConfig:
    """The PatchGAN discriminator (appendix I)."""

    channels: int = 128
    """Channels of the first layer, doubled at each further one (appendix I: 128)."""
    depth: int = 6
    """Number of stride-2 convolutions (appendix I: 6 guided, 7 unguided)."""
    max_channels: int = 512
    """Ceiling of the doubling. The paper states none; without one the sixth layer alone has 210M weights."""

    def __post_init__(self) -> None:
        require(self.channels >= 1, "channels >= 1", self.channels, "give a positive number")
        require(1 <= self.depth <= 8, "a depth in 1..8", self.depth, "the paper uses 6")
        require(
            self.max_channels >= self.channels,
            f"max_channels >= channels ({self.channels})",
            self.max_channels,
            "raise max_channels",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the terms beside the adversarial one (section 3)."""

    content: float = 10.0
    """lambda_C, weight of the distance between output and content in blurred luminance."""
    content_on: Literal["output", "collage"] = "output"
    """Which picture has to resemble the content: the output (the paper's), or the collage, which leaves nothing but
    style to the refiner. A refiner that only corrects would otherwise tint its output to come closer."""
    content_cell_px: int = 8
    """Side of the squares over which luminance is averaged before content is compared, in pixels."""
    entropy: float = 0.5
    """lambda_E, weight of the mean entropy of A: high means hard cuts (Fig. 7 shows 0.5 and 5)."""
    total_variation: float = 1.0
    """lambda_TV, weight of the total variation of A: high means large pieces (Fig. 8 shows 1 and 100)."""
    max_share: float = 1.0
    """lambda_M, weight of the largest template's share, against collages of a single template."""

    def __post_init__(self) -> None:
        for name in ("content", "entropy", "total_variation", "max_share"):
            value = getattr(self, name)
            require(value >= 0, f"a loss weight {name} >= 0", value, "give 0 to switch the term off")
        require(self.content_cell_px >= 1, "content_cell_px >= 1", self.content_cell_px, "8 is usual")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """Adam with the DCGAN settings (appendix II), and the precision of the arithmetic."""

    learning_rate: float = 2e-4
    """Step size of both networks (DCGAN)."""
    beta1: float = 0.5
    """Decay of the gradient's mean (DCGAN)."""
    beta2: float = 0.999
    """Decay of the gradient's square (DCGAN)."""
    precision: Precision | None = None
    """Arithmetic of the forward passes. Left out: fp16 on a GPU (appendix II), fp32 on a CPU."""

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "a learning_rate > 0", self.learning_rate, "2e-4 is usual")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{name} in [0, 1)", value, "DCGAN uses 0.5 and 0.999")
