"""Makes a folder of plain files one that mlflow.pyfunc.load_model understands: a model from code, without a pickle."""

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
"""Folder that load_model puts first where Python looks for packages."""
CONDA, VENV, REQUIREMENTS = "conda.yaml", "python_env.yaml", "requirements.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class PyfuncCode:
    """What runs when others load a model."""

    file: Path
    """Python file that ends in mlflow.models.set_model(...)."""
    package: Path
    """Folder of the package that it imports; its source goes along."""
    requirements: Sequence[str]
    """Names of the distributions that both need."""


def make_loadable(
    folder: Path, code: PyfuncCode, files: Mapping[str, str], signature: ModelSignature, config: Mapping[str, str]
) -> None:
    """Add to a folder what MLflow needs to load it: MLmodel, code, and the environment to run it in.

    mlflow.pyfunc.save_model would copy the files below artifacts/, where they are no model of ours any more, run the
    code, and note down this machine's paths.

    Args:
        folder: of the files.
        code: what runs.
        files: names in the folder, by the names under which the code asks its context for them.
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
    """A distribution as a requirement of the version that is installed here, whichever its build."""
    return f"{name}=={importlib.metadata.version(name).partition('+')[0]}"


def _write_environment(folder: Path, requirements: Sequence[str]) -> None:
    """The same requirements, as pip, conda and virtualenv want them; JSON is YAML, too."""
    python = platform.python_version()
    (folder / REQUIREMENTS).write_text("\n".join(requirements) + "\n")
    packages = [f"python={python}", "pip", {"pip": list(requirements)}]
    conda = {"name": "magic", "channels": ["conda-forge"], "dependencies": packages}
    venv = {"python": python, "build_dependencies": ["pip"], "dependencies": [f"-r {REQUIREMENTS}"]}
    for name, content in ((CONDA, conda), (VENV, venv)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
