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
from cluster.redaction import redact
from cluster.tracking import registry
from cluster.tracking.pyfunc_folder import PyfuncCode, make_loadable
from cluster.tracking.registry import CARD, DIGEST, ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.card import Subject, card
from jobs.models.lookup import RECIPE_DIGEST, Model
from magic.networks.packed import CONFIG, RECIPE, WEIGHTS, unpack_generator

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
    """A model and all that is known of it."""

    name: str
    model: Model
    run_id: str
    steps: str
    metrics: Mapping[str, float]
    code_version: str
    sheet: bytes | None = None
    """The newest sample sheet, as PNG."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Further ones."""


def register_model(client: MlflowClient, what: Registrable, alias: str | None = None) -> ModelVersion:
    """Make a model the next version of its name, unless its run registered the same one before."""
    recipe = recipe_bytes(what.model)
    sources = {name: what.model.recipe.get(name) for name in ("content", "style")}
    tags = {
        **what.tags,
        DIGEST: what.model.packed.digest,
        RECIPE_DIGEST: hashlib.sha256(recipe).hexdigest(),
        STEPS: what.steps,
        CODE_VERSION: what.code_version,
        METRICS: json.dumps({name: float(f"{value:.6g}") for name, value in sorted(what.metrics.items())}),
        **{f"{name}_digest": source["digest"] for name, source in sources.items() if source and "digest" in source},
    }
    with tempfile.TemporaryDirectory() as scratch:
        write_model_folder(Path(scratch), what)
        return registry.register(client, Path(scratch), name=what.name, run_id=what.run_id, tags=tags, alias=alias)


def write_model_folder(folder: Path, what: Registrable) -> None:
    """Write all files of a registered model."""
    packed = what.model.packed
    guided = unpack_generator(packed).config.guided  # and damaged weights are never registered
    (folder / WEIGHTS).write_bytes(packed.weights)
    (folder / CONFIG).write_text(packed.config)
    (folder / RECIPE).write_bytes(recipe_bytes(what.model))
    if what.sheet:
        (folder / SHEET).write_bytes(what.sheet)
    subject = Subject(
        name=what.name,
        recipe=what.model.recipe,
        steps=what.steps,
        metrics=what.metrics,
        digest=packed.digest,
        code_version=what.code_version,
        run=what.run_id,
        has_sheet=what.sheet is not None,
    )
    (folder / CARD).write_text(card(subject))
    files = {"weights": WEIGHTS, "config": CONFIG}
    make_loadable(folder, CODE, files, signature(guided=guided), {DIGEST: packed.digest})


def recipe_bytes(model: Model) -> bytes:
    """The recipe as it is registered, for all who can read the registry."""
    return (json.dumps(redact(model.recipe), indent=2) + "\n").encode()


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
