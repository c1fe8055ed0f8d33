"""Small registered models, for the tests of `magic models`."""

from pathlib import Path

import numpy as np
from PIL import Image

from cluster.tracking import runs as tracking
from jobs.models.lookup import Model
from jobs.models.model_folder import Registrable, register_model
from magic.networks.packed import pack_generator
from tests.conftest import random_generator, textured

SECRET = "hunter2"
K = 3


def recipe(**losses) -> dict:
    source = {"scale": 1.0, "square_px": None, "shares": [], "tone": None, "num_pictures": 3, "num_skipped": 0}
    return {
        "generator": {"system": "magic", "guided": True, "channels": 8, "depth": 2, "warp": "none", "refine": "paint"},
        "crops": {"patch_px": 32, "num_templates": K},
        "losses": {"entropy": 0.5, "content": 10.0, **losses},
        "content": {**source, "urls": ["portrait.png"], "digest": "c" * 64},
        "style": {**source, "urls": [f"https://me:{SECRET}@host/a.jpg?sig={SECRET}"], "digest": "5" * 64},
        "tone": "keep",
    }


def registered(client, cluster, name, *, seed=0, alias="current", distance=12.5, guided=True, **losses):
    """A small model, as training registers it."""
    sheet = Path(cluster.artifacts).parent / "sheet.png"
    Image.fromarray(textured(np.random.default_rng(seed), 40, 60)).save(sheet)
    told = recipe(**losses)
    told["generator"]["guided"] = guided
    run_id = tracking.start_run(client, cluster, name, {"losses": told["losses"], "style.urls": told["style"]["urls"]})
    metrics = {"validation/style_distance": distance, "loss/generator": 1.25}
    what = Registrable(
        name=name,
        model=Model(pack_generator(random_generator(2, seed, guided=guided)), told, ""),
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
