"""What is registered of a model: a folder that is our own plain format and an MLflow model at the same time.

    generator.safetensors, generator.json   the model
    recipe.json                             how it was trained, without credentials
    card.md, sheet.png                      for people
    MLmodel, pyfunc_model.py, code/magic/   for mlflow.pyfunc.load_model, with conda.yaml, python_env.yaml and
                                            requirements.txt

There is no pickle in it.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

import magic
from cluster.tracking import registry
from cluster.tracking.pyfunc_folder import PyfuncCode, make_loadable
from cluster.tracking.registry import CARD, DIGEST, ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.card import CardSubject, card
from jobs.models.lookup import RECIPE_DIGEST
from jobs.models.recipe import RECIPE, Recipe
from magic.networks.packed import CONFIG, WEIGHTS, Packed, unpack_generator

SHEET = "sheet.png"
STEPS, METRICS = "steps", "metrics"
"""Tags of a version: how long it was trained, and its measures then, as JSON."""
SHOWN_METRICS = ("validation/", "loss/")
CODE = PyfuncCode(
    file=Path(__file__).parent / "pyfunc_model.py",
    package=Path(str(magic.__file__)).parent,
    requirements=("torch", "numpy", "scipy", "pillow", "safetensors", "jaxtyping"),
)
PARAMS = ParamSchema(
    [
        ParamSpec("num_templates", DataType.long, 0),
        ParamSpec("seed", DataType.long, 0),
        ParamSpec("mirror", DataType.boolean, True),
        ParamSpec("rotate", DataType.boolean, False),
        ParamSpec("width", DataType.long, 0),
        ParamSpec("height", DataType.long, 0),
        ParamSpec("precision", DataType.string, "fp32"),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registrable:
    """A model that can be registered, and all that is known of it."""

    name: str
    packed: Packed
    recipe: Recipe
    run_id: str
    steps: str
    """How long it was trained."""
    metrics: Mapping[str, float]
    code_version: str
    sheet: bytes | None = None
    """The newest sample sheet, as PNG."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Further tags of the version."""

    @property
    def recipe_bytes(self) -> bytes:
        """The recipe as it is registered, for all who can read the registry."""
        return self.recipe.to_bytes()

    @property
    def version_tags(self) -> dict[str, str]:
        """All tags of the version."""
        digests = {f"{name}_digest": source.digest for name, source in self.recipe.sources.items()}
        rounded = {name: float(f"{value:.6g}") for name, value in sorted(self.metrics.items())}
        return {
            **self.tags,
            DIGEST: self.packed.digest,
            RECIPE_DIGEST: hashlib.sha256(self.recipe_bytes).hexdigest(),
            STEPS: self.steps,
            CODE_VERSION: self.code_version,
            METRICS: json.dumps(rounded),
            **digests,
        }


def register_model(client: MlflowClient, model: Registrable, alias: str | None = None) -> ModelVersion:
    """Make a model the next version of its name, unless its run registered the same one before."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_model_folder(folder, model)
        tags = model.version_tags
        return registry.register(client, folder, name=model.name, run_id=model.run_id, tags=tags, alias=alias)


def write_model_folder(folder: Path, model: Registrable) -> None:
    """Write all files of a registered model.

    Raises:
        ValueError: if its weights are damaged.
    """
    guided = unpack_generator(model.packed).config.guided  # and so damaged weights are never registered
    (folder / WEIGHTS).write_bytes(model.packed.weights)
    (folder / CONFIG).write_text(model.packed.config)
    (folder / RECIPE).write_bytes(model.recipe_bytes)
    if model.sheet:
        (folder / SHEET).write_bytes(model.sheet)
    subject = CardSubject(
        name=model.name,
        recipe=model.recipe,
        steps=model.steps,
        metrics=model.metrics,
        digest=model.packed.digest,
        code_version=model.code_version,
        run=model.run_id,
        has_sheet=model.sheet is not None,
    )
    (folder / CARD).write_text(card(subject))
    files = {"weights": WEIGHTS, "config": CONFIG}
    make_loadable(folder, CODE, files, signature(guided=guided), {DIGEST: model.packed.digest})


def signature(*, guided: bool) -> ModelSignature:
    """What CollageModel.predict takes and returns."""
    rgb, uint8 = (-1, -1, 3), np.dtype(np.uint8)
    inputs = [TensorSpec(uint8, rgb, "content")] if guided else []
    return ModelSignature(
        inputs=Schema([*inputs, TensorSpec(uint8, (-1, *rgb), "templates")]),
        outputs=Schema(
            [
                TensorSpec(uint8, rgb, "output"),
                TensorSpec(uint8, rgb, "collage"),
                TensorSpec(np.dtype(np.uint16), (-1, -1), "labels"),
            ]
        ),
        params=PARAMS,
    )


def metrics_of_run(client: MlflowClient, run_id: str) -> dict[str, float]:
    """The newest measures and losses of a run."""
    metrics: dict[str, float] = client.get_run(run_id).data.metrics
    return {name: value for name, value in metrics.items() if name.startswith(SHOWN_METRICS)}


def newest_sheet(client: MlflowClient, run_id: str) -> bytes | None:
    """The newest sample sheet of a run, or None where there is none."""
    sheets = sorted(entry.path for entry in client.list_artifacts(run_id, "sheets") if entry.path.endswith(".png"))
    if not sheets:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        return Path(client.download_artifacts(run_id, sheets[-1], scratch)).read_bytes()
