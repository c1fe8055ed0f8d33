"""Small registered models, for the tests of `magic models`."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from cluster.tracking import runs
from jobs.models.model_folder import Registrable, register_model
from jobs.models.recipe import Recipe
from magic.hyperparameters import GeneratorConfig, LossConfig
from magic.networks.packed import pack_generator
from pipelines.pictures.settings import CropConfig
from pipelines.pictures.source_records import SourceSummary
from tests.conftest import random_generator, textured

SECRET = "hunter2"
K = 3


def recipe(*, guided: bool = True, **losses) -> Recipe:
    """How the small models of these tests were trained."""
    source = {"scale": 1.0, "square_px": None, "shares": (), "tone": None, "num_pictures": 3, "num_skipped": 0}
    secret_url = f"https://me:{SECRET}@host/a.jpg?sig={SECRET}"
    return Recipe(
        tone="keep",
        generator=GeneratorConfig(channels=8, depth=2, heads=2, guided=guided),
        crops=CropConfig(patch_px=32, num_templates=K),
        losses=LossConfig(**losses),
        content=SourceSummary(**source, urls=("portrait.png",), digest="c" * 64),
        style=SourceSummary(**source, urls=(secret_url,), digest="5" * 64),
    )


def registered(client, cluster, name, *, seed=0, alias="current", distance=12.5, guided=True, **losses):
    """A small model, as training registers it."""
    sheet = Path(cluster.artifacts).parent / "sheet.png"
    Image.fromarray(textured(np.random.default_rng(seed), 40, 60)).save(sheet)
    trained = recipe(guided=guided, **losses)
    shown = {"losses": asdict(trained.losses), "style.urls": list(trained.style.urls)}
    run_id = runs.start_run(client, cluster, name, shown)
    metrics = {"validation/style_distance": distance, "loss/generator": 1.25}
    what = Registrable(
        name=name,
        packed=pack_generator(random_generator(2, seed, guided=guided)),
        recipe=trained,
        run_id=run_id,
        steps="24",
        metrics=metrics,
        code_version="abc123",
        sheet=sheet.read_bytes(),
    )
    return register_model(client, what, alias)


def files_of(version) -> Path:
    """A version's files, where the registry keeps them."""
    return Path(version.source.removeprefix("file://"))
