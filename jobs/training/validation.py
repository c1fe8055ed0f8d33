"""How a generator does on fixed crops: a sheet to look at, and measures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import nn

from magic.measures.score import CELLS_PX, score
from magic.networks.generator import Collage
from magic.pixels import from_uint8, picture_of, to_uint8
from magic.scene.memory import Pictures
from magic.sheets import Panel, sheet, weights_in_colour
from magic.systems import SystemTraits
from magic.training.batch import Batch
from pipelines.pictures.crops import draw_batch
from pipelines.pictures.settings import CropConfig

BATCH_NUMBER = 1 << 40
"""No training gets there."""
NUM_CROPS = 3
MIN_PANEL_PX = 128


class Validation(NamedTuple):
    """The fixed crops, and what a generator makes of them."""

    batch: Batch
    collage: Collage


def validation_batch(content: Pictures | None, style: Pictures, crops: CropConfig) -> Batch:
    """A few crops of a batch number that no training reaches."""
    arrays = draw_batch(content, style, BATCH_NUMBER, crops)
    return Batch(**{name: torch.from_numpy(array[:NUM_CROPS]) for name, array in arrays.items()})


@torch.inference_mode()
def validate(generator: nn.Module, batch: Batch, device: torch.device) -> Validation:
    """What a generator makes of the fixed crops."""
    templates, _, content = batch.to(device).normalised()
    return Validation(batch, generator(content, templates))


def measures(validation: Validation, system: SystemTraits) -> dict[str, float]:
    """Measures of the outputs against their own templates and contents, averaged over the crops.

    Outputs of a system that copies no templates are measured against all style patches of the batch. The values show
    the course of one training: trainings with other templates, or fewer, have other styles to be close to.

    Returns:
        Means by name; nothing where crops are smaller than the largest cell that is compared.
    """
    batch, collage = validation
    if batch.style.shape[-1] < max(CELLS_PX):
        return {}
    scores = []
    for row, image in enumerate(collage.image):
        content = None if batch.content is None else picture_of(batch.content[row])
        patches = batch.templates[row] if system.copies_templates else batch.style
        styles = [picture_of(patch) for patch in patches]
        scores.append(score(picture_of(to_uint8(image)), styles, content, collage.weights[row].cpu().numpy()))
    return {f"validation/{name}": float(np.mean([one[name] for one in scores])) for name in scores[0]}


class SetCollage(NamedTuple):
    """An unguided collage, and which element is where."""

    image: UInt8[ndarray, "H W 3"]
    weights: Float[ndarray, "K H W"]

    @property
    def colours(self) -> UInt8[ndarray, "H W 3"]:
        """The weights in colour."""
        return weights_in_colour(self.weights).transpose(1, 2, 0)


@torch.inference_mode()
def collage_of(generator: nn.Module, elements: Sequence[UInt8[ndarray, "3 H W"]], device: torch.device) -> SetCollage:
    """What an unguided generator makes of one set."""
    templates = from_uint8(torch.from_numpy(np.stack(elements)).to(device))
    collage = generator(None, templates[None])
    return SetCollage(picture_of(to_uint8(collage.image[0])), collage.weights[0].cpu().numpy())


def sample_sheet(validation: Validation) -> UInt8[ndarray, "H W 3"]:
    """Content, collage, output, weights and a template of every crop."""
    batch, collage = validation
    columns = {"content": batch.content} if batch.content is not None else {}
    columns |= {
        "collage": to_uint8(collage.collage),
        "output": to_uint8(collage.image),
        "weights": torch.stack([torch.from_numpy(weights_in_colour(a.cpu().numpy())) for a in collage.weights]),
        "a template": batch.templates[:, 0],
    }
    rows = [[Panel(name, picture_of(part[row])) for name, part in columns.items()] for row in range(len(batch.style))]
    return np.asarray(sheet(rows, max(batch.style.shape[-1], MIN_PANEL_PX)))
