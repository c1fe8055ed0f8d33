"""`magic sample`: sheets of unguided collages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from tqdm import tqdm

from jobs.config import SampleConfig
from jobs.models import find_model
from jobs.validation import pixels
from magic.batch import from_uint8, to_uint8
from magic.checkpoint import unpack_generator
from magic.config import require
from magic.generator import Generator
from magic.memory import allot
from magic.sheets import Panel, palette, sheet, weights_in_colour
from pipelines.config import CropConfig, SourceConfig
from pipelines.crops import crop
from pipelines.export import encode_png
from pipelines.objects import absolute, join, write_object
from pipelines.reading import picture_shares, read_picture

MIN_PANEL_PX = 160
Patch = UInt8[ndarray, "3 P P"]


def sample(config: SampleConfig) -> str:
    """Write collages.png, sets.png and between.png; returns their folder.

    collages.png: a row for every K, a column for every seed. sets.png: for the first seed, each collage beside its
    weights and the elements of its set. between.png: the elements of one seed's set turn into those of the next.

    Raises:
        ValueError: for an unknown or guided model, or pictures that cannot be used.
    """
    model = find_model(config.model, config.cluster)
    generator = unpack_generator(model.packed).eval()
    require(not generator.config.guided, "an unguided model", f"{model.uri}, guided", "use magic poster")
    crops = model.crops()
    size = config.size or crops.patch_px
    draw = Sets(model.style(config.style), size, crops)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seeds, between = range(config.seed, config.seed + config.seeds), np.linspace(0, 1, config.between)
    drawn = {(k, seed): draw.set_of(k, seed) for k in config.templates for seed in seeds}
    total = len(drawn) + len(config.templates) * len(between)
    with tqdm(total=total, desc="sampling", unit="collage") as bar:
        paint = Painter(generator.to(device), device, bar)
        made = {key: paint(elements) for key, elements in drawn.items()}
        rows = {k: [Panel(f"K = {k}, seed {seed}", made[k, seed][0]) for seed in seeds] for k in config.templates}
        sheets = {"collages": list(rows.values())}
        first, second = config.seed, config.seed + 1
        sheets["sets"] = [set_row(*made[k, first], drawn[k, first]) for k in config.templates]
        if len(between) and len(seeds) > 1:
            sheets["between"] = [
                [Panel(f"K = {k}, {t:.2f}", paint(blend(drawn[k, first], drawn[k, second], t))[0]) for t in between]
                for k in config.templates
            ]
    out = absolute(config.out)
    for name, panels in sheets.items():
        write_object(join(out, f"{name}.png"), encode_png(sheet(panels, max(size, MIN_PANEL_PX))))
    print(f"wrote {', '.join(f'{name}.png' for name in sheets)} to {out}")
    return out


class Painter:
    """A generator on its device, and the bar that counts its collages."""

    def __init__(self, generator: Generator, device: torch.device, bar: Any) -> None:
        self.generator, self.device, self.bar = generator, device, bar

    @torch.inference_mode()
    def __call__(self, elements: Sequence[Patch]) -> tuple[ndarray, ndarray]:
        """The collage of a set, and its weights in colour."""
        self.bar.update()
        planes = torch.from_numpy(np.stack(elements)).to(self.device)
        made = self.generator(None, from_uint8(planes)[None])
        colours = weights_in_colour(made.weights[0].cpu().numpy())
        return pixels(to_uint8(made.image[0])), colours.transpose(1, 2, 0)


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
            picture = read_picture(self.urls[number], self.source)
            require(
                min(picture.shape[:2]) >= self.size_px,
                f"at least {self.size_px} px on each side of {self.urls[number]}",
                picture.shape[:2],
                "give larger pictures, or a smaller --size",
            )
            patches.append(crop(picture, self.size_px, rng, mirror=self.crops.mirror, rotate=self.crops.rotate).pixels)
        return patches


def blend(one: Sequence[Patch], other: Sequence[Patch], t: float) -> list[Patch]:
    """The set whose elements are t of the way from one set's elements to another's."""
    return [np.rint((1 - t) * a + t * b).astype(np.uint8) for a, b in zip(one, other, strict=True)]


def set_row(collage: ndarray, colours: ndarray, elements: Sequence[Patch]) -> list[Panel]:
    """A collage, its weights, and the elements it was made from, each with its colour."""
    tones = palette(len(elements))
    shown = [Panel(f"element {k}", element.transpose(1, 2, 0), tones[k]) for k, element in enumerate(elements)]
    return [Panel(f"K = {len(elements)}", collage), Panel("which is where", colours), *shown]
