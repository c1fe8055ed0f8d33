"""Adds to a folder of plain files what mlflow.pyfunc.load_model needs, so that the model loads from code.

MLflow calls this "models from code": nothing is pickled.
"""

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature

LOADER = "mlflow.pyfunc.loaders.code_model"
CODE = "code"
"""Folder that load_model puts first on Python's import path."""
CONDA, VENV, REQUIREMENTS = "conda.yaml", "python_env.yaml", "requirements.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class PyfuncCode:
    """The code that runs where others load a model."""

    file: Path
    """Python file that ends in mlflow.models.set_model(...)."""
    package: Path
    """Folder of the package that the file imports; its Python files are copied into the model."""
    requirements: Sequence[str]
    """Names of the distributions that file and package need, besides MLflow."""


def make_loadable(
    folder: Path, code: PyfuncCode, files: Mapping[str, str], signature: ModelSignature, config: Mapping[str, str]
) -> None:
    """Add to a folder what MLflow needs to load it: the file MLmodel, the code, and the environment to run it in.

    mlflow.pyfunc.save_model would not do: it moves the files into a folder artifacts/, where this project no longer
    recognises them as its model; it runs the code; and it records paths of this machine.

    Args:
        folder: holds the model's files already.
        code: runs where the model is loaded.
        files: file names in the folder, by the names under which the code finds them in its context.
        signature: of the model's predict.
        config: settings that the code finds in its context.
    """
    shutil.copy(code.file, folder / code.file.name)
    for source in code.package.rglob("*.py"):
        target = folder / CODE / code.package.name / source.relative_to(code.package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    _write_environment(folder, [pinned(name) for name in ("mlflow", *code.requirements)])
    model = Model(signature=signature)
    mlflow.pyfunc.add_to_model(
        model,
        loader_module=LOADER,
        code=CODE,
        conda_env=CONDA,
        python_env=VENV,
        model_config=dict(config),
        model_code_path=code.file.name,
        artifacts={name: {"path": file, "uri": file} for name, file in files.items()},
        streamable=False,
    )
    model.save(str(folder / "MLmodel"))


def pinned(name: str) -> str:
    """The requirement NAME==VERSION of the version installed here, without a build label such as +cpu."""
    return f"{name}=={importlib.metadata.version(name).partition('+')[0]}"


def _write_environment(folder: Path, requirements: Sequence[str]) -> None:
    """Write the requirements in the formats of pip, conda and virtualenv. JSON serves as YAML, which contains it."""
    python = platform.python_version()
    (folder / REQUIREMENTS).write_text("\n".join(requirements) + "\n")
    packages = [f"python={python}", "pip", {"pip": list(requirements)}]
    conda = {"name": "magic", "channels": ["conda-forge"], "dependencies": packages}
    venv = {"python": python, "build_dependencies": ["pip"], "dependencies": [f"-r {REQUIREMENTS}"]}
    for name, content in ((CONDA, conda), (VENV, venv)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
