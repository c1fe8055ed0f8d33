"""Configuration of the model and of its training step. Imports nothing heavy, so `--help` is instant."""

from dataclasses import dataclass
from typing import Annotated, Literal

from magic.checks import require
from magic.options import check_values, read_by, settings_of
from magic.systems import SYSTEMS, System, SystemTraits

Precision = Literal["fp32", "bf16", "fp16"]
Warp = Literal["none", "affine", "flow"]
Adversarial = Literal["cross_entropy", "hinge", "least_squares"]
ContentFeatures = Literal["luminance", "rgb", "edges"]
MAX_CHANNELS = 4096
"""At a network's deepest level, which has 768 in the paper. A convolution between two such has 1.7 GB of weights."""
MAX_TEMPLATES = 65_535
"""Highest number of templates: labels, which tell them apart, have 16 bits."""
MAX_REACH_PX = 10_000
"""Of a warp."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratorConfig:
    """The mixing network and the refiner (appendix I), or one of the systems they are compared with."""

    system: System = "magic"
    """magic: the paper's. famos, mosaic: the baselines of appendix III."""
    guided: Annotated[bool, read_by("magic")] = True
    """Whether there is a content picture to paint. Without one, the set alone decides (section 4)."""
    channels: int = 48
    """Channels of the U-Net's first level, which is half the picture's size; each further level doubles them
    (appendix I: 48)."""
    depth: int = 5
    """Number of levels, each half the size of the one before; heights and widths must be multiples of 2^depth
    (appendix I: 5)."""
    heads: Annotated[int, read_by("magic")] = 4
    """Attention heads of every set-transformer block; must divide the channels."""
    inducing_points: Annotated[int | None, read_by("magic")] = None
    """Attend by way of so many learned points (ISAB), at a cost that grows with K and not with its square: for sets
    of hundreds. Left out: every element attends to every other (the paper's)."""
    warp: Annotated[Warp, read_by("magic")] = "none"
    """How an element may be moved before the pooling. affine: as a whole, turned, scaled and shifted. flow: every
    pixel by itself. Both begin as the identity."""
    warp_reach_px: Annotated[float, read_by("magic")] = 16.0
    """The farthest that a warp shifts a pixel along one axis (affine: beside what turning and scaling do)."""
    memory_size: Annotated[int | None, read_by("famos")] = None
    """famos alone: N, how many templates its fixed memory has."""
    refine: Annotated[Literal["paint", "blend"], read_by("magic")] = "paint"
    """paint (the paper's): the refiner paints the output from the collage. blend: it also says how much of each pixel
    is painted, next to nothing at first, and the collage shows through the rest (as in FAMOS' hybrid): short trainings
    keep the collage's sharpness. losses.painted_share makes it paint less."""
    refiner_channels: Annotated[int | None, read_by("magic")] = None
    """Channels of the refiner's first level; left out: as many as the mixing network has (the paper's). The
    refiner runs once per picture and the mixing network once per template, so twice as many cost little."""
    refiner_sees_content: Annotated[bool, read_by("magic")] = False
    """Whether the refiner also sees the content picture (the paper's does not)."""

    def __post_init__(self) -> None:
        check_values(self)
        self._check_sizes()
        self._check_system()
        require(
            self.guided or not self.refiner_sees_content,
            "a refiner that sees no content in an unguided model",
            self.refiner_sees_content,
            "switch refiner_sees_content off",
        )

    def _check_sizes(self) -> None:
        require(1 <= self.depth <= 8, "a depth in 1..8", self.depth, "the paper uses 5")
        widest = MAX_CHANNELS >> (self.depth - 1)
        limit = f"1..{widest}, for at most {MAX_CHANNELS} at the deepest level"
        require(1 <= self.channels <= widest, f"channels in {limit}", self.channels, "lower it or the depth")
        width = self.refiner_width
        require(1 <= width <= widest, f"refiner_channels in {limit}", width, "lower it, or leave it out")
        for name in ("inducing_points", "memory_size"):
            size = getattr(self, name)
            require(
                size is None or 1 <= size <= MAX_TEMPLATES, f"{name} in 1..{MAX_TEMPLATES}", size, "or leave it out"
            )
        reach = self.warp_reach_px
        require(0 < reach <= MAX_REACH_PX, f"warp_reach_px in 0..{MAX_REACH_PX}", reach, "warp none switches it off")

    def _check_system(self) -> None:
        """Refuse options that the system does not read, and those that it cannot do without."""
        unread = self._unread()
        require(
            not self.traits.has_fixed_memory or (self.memory_size or 0) >= 1,
            f"a memory_size >= 1 for {self.system}",
            self.memory_size,
            "set it to the number of templates",
        )
        changed = [setting.name for setting in settings_of(self) if setting.name in unread and setting.is_changed]
        require(
            not changed,
            f"options that {self.system} has",
            changed,
            f"leave them out, or start from the recipe {self.system}",
        )
        require(
            "heads" in unread or (self.heads >= 1 and self.channels % self.heads == 0),
            f"heads that divide the {self.channels} channels",
            self.heads,
            "change heads or channels",
        )

    def _unread(self) -> set[str]:
        """Names of the options that this system never reads."""
        readers = {setting.name: setting.read_by for setting in settings_of(GeneratorConfig)}
        return {name for name, note in readers.items() if note is not None and self.system not in note.systems}

    @property
    def traits(self) -> SystemTraits:
        """What is known of the system."""
        return SYSTEMS[self.system]

    @property
    def refiner_width(self) -> int:
        """Channels of the refiner's first level."""
        return self.channels if self.refiner_channels is None else self.refiner_channels

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
    spectral_norm: bool = False
    """Divide every layer's weights by their spectral norm (Miyato et al. 2018): no step can make the discriminator
    steep. Training is calmer, and slower to tell styles apart."""

    def __post_init__(self) -> None:
        check_values(self)
        require(self.channels >= 1, "channels >= 1", self.channels, "give a positive number")
        require(1 <= self.depth <= 8, "a depth in 1..8", self.depth, "the paper uses 6")
        require(
            self.channels <= self.max_channels <= MAX_CHANNELS,
            f"max_channels from channels ({self.channels}) to {MAX_CHANNELS}",
            self.max_channels,
            "change max_channels",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the terms beside the adversarial one (section 3)."""

    adversarial: Adversarial = "cross_entropy"
    """L_adv: cross_entropy (the paper's), hinge (Lim and Ye 2017) or least_squares (Mao et al. 2017)."""
    r1: float = 0.0
    """Weight of the discriminator's squared gradient at real patches (R1, Mescheder et al. 2018), 0: none. It stops
    the discriminator from overwhelming the generator where style pictures are few. 0.1 to 10 are usual."""
    content: float = 10.0
    """lambda_C, weight of the distance between output and content."""
    content_features: ContentFeatures = "luminance"
    """phi, what of the content has to be met, each averaged over cells of content_cell_px: luminance (FAMOS' choice),
    rgb (colours too), edges (the change of luminance from cell to cell, whatever its level)."""
    content_on: Literal["output", "collage", "both"] = "output"
    """Which picture has to resemble the content: the output (the paper's); the collage, which leaves nothing but
    style to the refiner; or both, each with this weight: pieces have to fit, and no refiner can cover those that do
    not (FAMOS would otherwise copy one template and paint the content over it)."""
    content_cell_px: int = 8
    """Side of the squares over which features are averaged before content is compared, in pixels."""
    entropy: float = 0.5
    """lambda_E, weight of the mean entropy of A: high means hard cuts (Fig. 7 shows 0.5 and 5)."""
    total_variation: float = 1.0
    """lambda_TV, weight of the total variation of A: high means large pieces (Fig. 8 shows 1 and 100)."""
    max_share: float = 1.0
    """lambda_M, weight of the largest template's share, against collages of a single template."""
    painted_share: float = 0.0
    """lambda_alpha, weight of the share of the picture that is painted rather than copied, for famos, and for
    magic where refine is blend."""
    drift: float = 0.0
    """lambda_D, weight of the mean square difference of output and collage in colour, averaged over cells of
    content_cell_px: what is painted over a collage keeps its colours, seen from afar."""

    def __post_init__(self) -> None:
        check_values(self)
        for name in ("content", "entropy", "total_variation", "max_share", "painted_share", "drift", "r1"):
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
    ema_decay: float = 0.998
    """The generator that is registered and renders is a running mean of the one in training, with this decay per
    step (the paper has none, 0: off). Single steps jump about; their mean does not."""
    precision: Precision | None = None
    """Arithmetic of the forward passes. Left out: fp16 on a GPU (appendix II), fp32 on a CPU."""

    def __post_init__(self) -> None:
        check_values(self)
        require(self.learning_rate > 0, "a learning_rate > 0", self.learning_rate, "2e-4 is usual")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{name} in [0, 1)", value, "DCGAN uses 0.5 and 0.999")
        require(0 <= self.ema_decay < 1, "ema_decay in [0, 1)", self.ema_decay, "0.998 is usual, 0 switches it off")
