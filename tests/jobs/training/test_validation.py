"""What the outputs of a training are measured against."""

import numpy as np
import pytest
import torch

from jobs.training.validation import Validation, measures, validate, validation_batch
from magic.scene.memory import PictureList
from magic.systems import SYSTEMS
from pipelines.pictures.settings import CropConfig
from tests.conftest import random_generator, textured

CROPS = CropConfig(patch_px=64, num_templates=2, batch_size=2)


@pytest.mark.parametrize(("system", "its_own"), [("magic", "templates"), ("mosaic", "style")])
def test_outputs_are_measured_against_what_they_should_be_like(system, its_own):
    """A magic's against its templates; a mosaic, which never sees any, has the style to be like."""
    rng = np.random.default_rng(0)
    content, style = PictureList([textured(rng, 90, 90)]), PictureList([textured(rng, 80, 100)])
    settings = {} if system == "magic" else {"system": system}
    seen = validate(random_generator(2, **settings), validation_batch(content, style, CROPS), torch.device("cpu"))
    distance = measures(seen, SYSTEMS[system])["validation/style_distance"]
    for name in ("templates", "style"):
        other = seen.batch._replace(**{name: 255 - getattr(seen.batch, name)})
        same = measures(Validation(other, seen.collage), SYSTEMS[system])["validation/style_distance"] == distance
        assert same == (name != its_own)
