"""A model's own fixed memory is drawn from the pictures that its training saw."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from jobs.models.lookup import Model
from jobs.models.recipe import Recipe
from jobs.posters.composition import choose_memory
from jobs.settings.poster_config import PosterConfig
from magic.geometry import Box
from magic.networks.packed import pack_generator
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading import read_picture
from pipelines.pictures.reading_memory import free_bytes
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.source_records import PictureInfo
from pipelines.pictures.sources import Source
from pipelines.pictures.tone import tone_of
from tests.conftest import random_generator, textured

CROPS = {"patch_px": 64, "num_templates": 4, "memory": "fixed", "seed": 3, "rotate": True}
WANTED = PosterConfig(model="m", content="c", out="o")


def surveyed(folder, least_px=1) -> Source:
    """The pictures of a folder with sides of so many pixels, as a survey finds them."""
    config = SourceConfig(urls=(str(folder),))
    found = []
    for url in list_pictures(config.urls):
        pixels, digest = read_picture(url, config, min_side_px=1, name="style")
        found.append(
            PictureInfo(url=url, sha256=digest, height=pixels.shape[0], width=pixels.shape[1], tone=tone_of(pixels))
        )
    large = tuple(info for info in found if min(info.height, info.width) >= least_px)
    return Source(config, large, (None,) * len(large), (), free_bytes())


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in {"a": (80, 90), "b": (70, 50), "c": (64, 100), "d": (120, 66)}.items():
        Image.fromarray(textured(rng, *size)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def model(folder):
    generator = random_generator(2, system="famos", memory_size=4)
    recipe = Recipe(crops=CropConfig(**CROPS), style=surveyed(folder, CROPS["patch_px"]).summary())
    return Model(pack_generator(generator), recipe, "models:/city/1")


def test_pictures_too_small_for_training_are_no_part_of_a_fixed_memory(folder, model):
    style, box = surveyed(folder), Box(-30, 20, 90, 150)
    memory = choose_memory(WANTED, model, style)
    trained = fixed_memory(surveyed(folder, CROPS["patch_px"]), CropConfig(**CROPS))
    assert np.array_equal(memory.window(box), trained.window(box))
    named = {style.pictures[template.picture].url[-5:] for template in memory.templates}
    assert named == {"a.png", "c.png", "d.png"}
    Image.fromarray(textured(np.random.default_rng(1), 60, 300)).save(folder / "0.png")  # first of all, and too small
    assert np.array_equal(choose_memory(WANTED, model, surveyed(folder)).window(box), trained.window(box))


def test_a_fixed_memory_of_other_pictures_is_refused(folder, model):
    Image.fromarray(textured(np.random.default_rng(1), 80, 80)).save(folder / "e.png")
    with pytest.raises(ValueError, match=r"the style pictures that models:/city/1 was trained on, .* put them back"):
        choose_memory(WANTED, model, surveyed(folder))
    (folder / "e.png").unlink()
    choose_memory(WANTED, model, surveyed(folder))
    (folder / "c.png").unlink()
    with pytest.raises(ValueError, match="the style pictures that models:/city/1 was trained on"):
        choose_memory(WANTED, model, surveyed(folder))


@pytest.mark.parametrize("asked", [{"seed": 1}, {"mirror": False}, {"rotate": False}, {"templates": 5}])
def test_another_choice_than_the_fixed_memory_is_refused(folder, model, asked):
    with pytest.raises(ValueError, match=rf"the model's own memory set, which is fixed, got \['{next(iter(asked))}'\]"):
        choose_memory(replace(WANTED, **asked), model, surveyed(folder))
    choose_memory(replace(WANTED, templates=CROPS["num_templates"]), model, surveyed(folder))
