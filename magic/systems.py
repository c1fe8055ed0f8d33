"""The systems that can be trained: MAGIC, and the baselines that the paper compares it with (appendix III).

This is the one place that knows them by name. Whoever has to treat systems differently asks a system's traits. To add
a system, write its `Generator` and give it an entry in SYSTEMS. Imports nothing heavy.
"""

from dataclasses import dataclass
from enum import Enum, auto
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from magic.networks.generator import Generator

System = Literal["magic", "famos", "mosaic"]
"""Names of the systems, as settings and records spell them."""


class Memory(Enum):
    """What a system's networks see of the memory set."""

    SET = auto()
    """Any number of templates, in any order: the mixing network runs once for each of them."""
    SEQUENCE = auto()
    """A fixed number of templates that are told apart by their order; one run sees them all."""
    NONE = auto()
    """Nothing: the system paints everything itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemTraits:
    """What the project has to know of a system without building its networks."""

    generator: str
    """module:class of its networks. The module is imported when a generator is built."""
    memory: Memory
    """What its networks see of the memory set."""

    @property
    def copies_templates(self) -> bool:
        """Whether its pictures are made of pieces of the templates, so that each pixel has a source."""
        return self.memory is not Memory.NONE

    @property
    def has_fixed_memory(self) -> bool:
        """Whether a trained model can only paint with the memory set of its training."""
        return self.memory is Memory.SEQUENCE

    @property
    def runs_per_template(self) -> bool:
        """Whether the mixing network runs once for each template; otherwise once for each picture."""
        return self.memory is Memory.SET

    def num_weights(self, num_templates: int) -> int:
        """How many planes A has at each pixel: K, or a single one of a system that copies nothing."""
        return num_templates if self.copies_templates else 1

    def generator_class(self) -> "type[Generator]":
        """The class of its networks."""
        module, name = self.generator.split(":")
        found: type[Generator] = getattr(import_module(module), name)
        return found


SYSTEMS: dict[System, SystemTraits] = {
    "magic": SystemTraits(generator="magic.networks.generator:MagicGenerator", memory=Memory.SET),
    "famos": SystemTraits(generator="magic.networks.baselines:FamosHybrid", memory=Memory.SEQUENCE),
    "mosaic": SystemTraits(generator="magic.networks.baselines:ConvolutionalMosaic", memory=Memory.NONE),
}
