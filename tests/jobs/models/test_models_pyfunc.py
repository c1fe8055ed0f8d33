"""For others: mlflow.pyfunc.load_model, in a process that has never heard of this project."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.models.transfer import models_import
from jobs.posters.poster import poster
from jobs.settings.models_config import ModelsImportConfig
from jobs.settings.poster_config import PosterConfig
from magic.geometry import Box
from magic.pixels import to_uint8
from magic.scene.content import Content
from magic.scene.memory import MemorySet, PictureList, Template, draw_templates
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from pipelines.posters.finished_poster import FinishedPoster
from tests.conftest import random_generator, textured
from tests.jobs.models.registered import K, registered

ROOT = Path(__file__).resolve().parents[3]
SEED = 5
STRANGER = """
import sys
import numpy as np
sys.meta_path[:] = [f for f in sys.meta_path if "__editable__" not in getattr(f, "__module__", "")]
sys.path[:] = [p for p in sys.path if p not in ("", {root!r})]
import mlflow
mlflow.set_tracking_uri({store!r})
given = dict(np.load({inputs!r}))
model = mlflow.pyfunc.load_model({uri!r})
import magic
assert {root!r} not in magic.__file__, magic.__file__
assert not [name for name in sys.modules if name.partition(".")[0] in ("jobs", "pipelines", "cluster", "ray")]
made = model.predict(given, params={params!r})
for key, other in {others!r}.items():
    made |= {{f"{{key}}_{{name}}": array for name, array in model.predict(given, params=other).items()}}
np.savez({outputs!r}, **made)
"""


@pytest.fixture(scope="module")
def styles() -> np.ndarray:
    """Style pictures of one size, [n h w 3]."""
    return np.stack([textured(np.random.default_rng(number), 90, 120) for number in range(3)])


def as_a_stranger(folder: Path, store: str, uri: str, inputs: dict, params: dict, **others: dict) -> dict:
    """What a model predicts in a process without this project, on one thread as a poster's worker does."""
    np.savez(folder / "inputs.npz", **inputs)
    code = STRANGER.format(
        root=str(ROOT),
        store=store,
        uri=uri,
        inputs=str(folder / "inputs.npz"),
        outputs=str(folder / "outputs.npz"),
        params=params,
        others=others,
    )
    quiet = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=quiet | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("*.db"))
    return dict(np.load(folder / "outputs.npz"))


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def whole(content, memory, height, width, *, guided=True) -> dict[str, np.ndarray]:
    """What the method paints in one pass."""
    generator = random_generator(2, 0, guided=guided)
    scene = Scene(content, memory, plan_canvas(generator, height, width))
    made = TileRenderer(generator, scene, torch.device("cpu")).whole()
    rows, columns = scene.canvas.poster.slices
    return {
        "output": to_uint8(made.image[0, :, rows, columns]).permute(1, 2, 0).numpy(),
        "collage": to_uint8(made.collage[0, :, rows, columns]).permute(1, 2, 0).numpy(),
        "labels": made.weights[0, :, rows, columns].argmax(0).numpy(),
    }


def same(predicted: dict, expected: dict, prefix: str = "") -> None:
    for name, pixels in expected.items():
        assert np.array_equal(predicted[prefix + name], pixels), name


def test_anybody_can_predict_what_a_poster_shows(
    ray_here, client, cluster, city, exported, elsewhere, pictures, styles, tmp_path, one_thread
):
    """Equal to the last pixel: `magic poster --mode whole`, the method's one pass, and pyfunc here and elsewhere."""
    content = np.asarray(Image.open(pictures / "content" / "portrait.png"))
    for number, picture in enumerate(styles):
        Image.fromarray(picture).save(tmp_path / f"style-{number}.png")
    given = {"content": content, "templates": styles}
    drawn = {"num_templates": K, "seed": SEED, "width": 100}
    made = as_a_stranger(tmp_path, cluster.tracking_uri, "models:/city@current", given, {}, drawn=drawn)
    plain = MemorySet.of(PictureList(list(styles)), tuple(Template(number, 0, 0) for number in range(3)))
    same(made, whole(Content.of(content), plain, *content.shape[:2]))
    height = round(content.shape[0] * 100 / content.shape[1])
    memory = MemorySet.of(PictureList(list(styles)), draw_templates(PictureList(list(styles)), K, SEED))
    same(made, whole(Content(content, height, 100), memory, height, 100), "drawn_")
    settings = PosterConfig(
        model="models:/city@current",
        content=f"{pictures}/content/portrait.png",
        style=(f"{tmp_path}/style-*.png",),
        out=str(tmp_path / "poster"),
        width=100,
        templates=K,
        seed=SEED,
        mode="whole",
        workers=1,
        cluster=cluster,
    )
    shown = FinishedPoster.at(poster(settings))
    same(made, {name: shown.whole(name) for name in ("output", "collage")}, "drawn_")
    same(made, {"labels": shown.store.read("labels", Box(0, 0, *shown.store.size()))[0]}, "drawn_")
    models_import(ModelsImportConfig(folder=str(exported), name="predicting", alias="prod", cluster=elsewhere))
    (tmp_path / "there").mkdir()
    there = as_a_stranger(tmp_path / "there", elsewhere.tracking_uri, "models:/predicting@prod", given, drawn)
    same(there, {name: made[f"drawn_{name}"] for name in ("output", "collage", "labels")})


def test_an_unguided_model_predicts_without_a_content(client, cluster, styles, tmp_path, one_thread):
    version = registered(client, cluster, "free", guided=False)
    params = {"num_templates": 4, "seed": 2, "width": 70, "height": 50, "mirror": False}
    made = as_a_stranger(tmp_path, cluster.tracking_uri, version.uri, {"templates": styles}, params)
    memory = MemorySet.of(PictureList(list(styles)), draw_templates(PictureList(list(styles)), 4, 2, mirror=False))
    same(made, whole(None, memory, 50, 70, guided=False))
