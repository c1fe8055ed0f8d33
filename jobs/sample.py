"""`magic sample`: sheets of unguided collages."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from jobs.models.lookup import Model, find_model
from jobs.settings.measure_config import SampleConfig
from jobs.training.validation import SetCollage, collage_of
from magic.checks import printable, require
from magic.networks.generator import Generator
from magic.scene.memory import allot
from magic.sheets import Panel, palette, sheet
from pipelines.export.png import encode_png
from pipelines.pictures.crops import crop
from pipelines.pictures.reading import picture_shares, read_picture
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.progress import Progress, progress
from pipelines.storage.door import absolute, join, write_object
from pipelines.storage.outputs import require_folder

MIN_PANEL_PX = 160
Patch = UInt8[ndarray, "3 P P"]


def sample(config: SampleConfig) -> str:
    """Write collages.png, sets.png and, of two seeds or more, between.png; returns their folder.

    collages.png: a row for every K, a column for every seed. sets.png: for the first seed, each collage beside its
    weights and the elements of its set. between.png: the elements of one seed's set turn into those of the next.

    Raises:
        ValueError: for an unknown or guided model, a size it cannot paint, or pictures that cannot be used.
    """
    out = absolute(config.out)
    require_folder(out)
    model = find_model(config.model, config.cluster)
    generator = model.generator().eval()
    require(not generator.config.guided, "an unguided model", f"{model.uri}, guided", "use magic poster")
    size, multiple = config.size or model.crops.patch_px, generator.config.multiple
    require(size % multiple == 0, f"a size that is a multiple of 2^depth = {multiple}", size, "change --size")
    sets = memory_sets(config, model, size)
    with progress("sampling", num_collages(config, sets), "collage") as shown:
        sheets = Sampler(config, generator, sets, shown).sheets()
    for name, panels in sheets.items():
        write_object(join(out, f"{name}.png"), encode_png(sheet(panels, max(size, MIN_PANEL_PX))))
    print(f"wrote {', '.join(f'{name}.png' for name in sheets)} to {printable(out)}")
    return out


def memory_sets(config: SampleConfig, model: Model, size_px: int) -> dict[tuple[int, int], list[Patch]]:
    """The memory set of every K and seed, in patches of that side."""
    source = model.style_source(config.style)
    if source.square_px is not None:  # pictures that are taken whole
        source = replace(source, square_px=size_px)
    sets = Sets(source, size_px, model.crops)
    return {(k, seed): sets.set_of(k, seed) for k in config.templates for seed in config.all_seeds}


def num_steps(config: SampleConfig) -> int:
    """How many pictures there are from one memory set to the next."""
    return config.between if len(config.all_seeds) > 1 else 0


def num_collages(config: SampleConfig, sets: Sized) -> int:
    """How many collages are painted."""
    return len(sets) + len(config.templates) * num_steps(config)


class Sampler:
    """Paints collages of memory sets, and lays them out on sheets."""

    def __init__(
        self,
        config: SampleConfig,
        generator: Generator,
        sets: Mapping[tuple[int, int], list[Patch]],
        shown: Progress,
    ) -> None:
        self.config, self.sets, self.shown = config, sets, shown
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generator = generator.to(self.device)
        self.steps = np.linspace(0, 1, num_steps(config))
        """How far between two memory sets, 0 to 1."""

    def sheets(self) -> dict[str, list[list[Panel]]]:
        """The panels of each sheet, in rows, by the sheet's name."""
        numbers, seeds, first = self.config.templates, self.config.all_seeds, self.config.seed
        collages = {key: self._paint(elements) for key, elements in self.sets.items()}
        sheets = {
            "collages": [[Panel(f"K = {k}, seed {seed}", collages[k, seed].image) for seed in seeds] for k in numbers],
            "sets": [set_row(collages[k, first], self.sets[k, first]) for k in numbers],
        }
        return sheets | ({"between": [self._between(k) for k in numbers]} if len(self.steps) else {})

    def _between(self, k: int) -> list[Panel]:
        one, other = self.sets[k, self.config.seed], self.sets[k, self.config.seed + 1]
        return [Panel(f"K = {k}, {step:.2f}", self._paint(blend(one, other, step)).image) for step in self.steps]

    def _paint(self, elements: Sequence[Patch]) -> SetCollage:
        self.shown.update()
        return collage_of(self.generator, elements, self.device)


class Sets:
    """Memory sets of a source, each a function of K and a seed; reads the pictures they need and no others."""

    def __init__(self, source: SourceConfig, size_px: int, crops: CropConfig) -> None:
        self.source, self.size_px, self.crops = source, size_px, crops
        shares = picture_shares(source)
        self.urls = sorted(shares)
        self.shares = [shares[url] for url in self.urls]

    def set_of(self, num_templates: int, seed: int) -> list[Patch]:
        """K patches of different pictures, as far as there are so many."""
        rng = np.random.default_rng([seed, num_templates])
        patches = []
        for number in allot(self.shares, num_templates, rng):
            picture = read_picture(self.urls[number], self.source, min_side_px=self.size_px, name="style").pixels
            patches.append(crop(picture, self.size_px, rng, mirror=self.crops.mirror, rotate=self.crops.rotate).pixels)
        return patches


def blend(one: Sequence[Patch], other: Sequence[Patch], t: float) -> list[Patch]:
    """The set whose elements are t of the way from one set's elements to another's."""
    return [np.rint((1 - t) * a + t * b).astype(np.uint8) for a, b in zip(one, other, strict=True)]


def set_row(collage: SetCollage, elements: Sequence[Patch]) -> list[Panel]:
    """A collage, its weights, and the elements it was made from, each with its colour."""
    tones = palette(len(elements))
    shown = [Panel(f"element {k}", element.transpose(1, 2, 0), tones[k]) for k, element in enumerate(elements)]
    return [Panel(f"K = {len(elements)}", collage.image), Panel("which is where", collage.colours), *shown]
