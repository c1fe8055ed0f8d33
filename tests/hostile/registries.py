"""Exported models that were edited, and registries in which others wrote."""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cluster.connection import ClusterConfig
from cluster.tracking import registry, runs
from jobs.models.recipe import RECIPE
from jobs.models.transfer import VERSION_FILE, models_export
from jobs.settings.models_config import ModelsExportConfig
from magic.networks.packed import CONFIG, WEIGHTS
from tests.hostile.cases import Case, Kind, UnacceptableError, magic
from tests.hostile.poster_folders import cut, edit_json, flip, lose
from tests.jobs.models.registered import files_of, registered

TEXTS: tuple[str, ...] = (
    "", " ", "{}", "[]", "null", "3", "NaN", '{"a": NaN}', '{"validation/style_distance": "near"}', '{"a": 1e999}', "{",
    '[{"alias": "prod"}]', '[{"alias": 3, "when": "", "why": "", "before": null, "version": "1", "by": ""}]',
    "[" * 4900, '{"a": 1, "a": 2}', "\x1b[2J\n| <b>", "\ufffd\u202e", "x" * 4900, "latest", "v1",
    "99999999999999999999", "-1", "../..", "'; drop table runs; --", "\0", "0" * 64,
)  # fmt: skip
"""That a tag, an alias or another field is given."""
SOURCES = ("", "/etc/passwd", "file:///nowhere", "models:/city/1", "runs:/0/x", "ftp://", "s3:", "\n", "x" * 400)
"""Places that a version says its files are at."""
KEYS = ("metrics", "steps", "digest", "recipe_digest", "code_version", "odd \x1b key", "promoted/prod")
"""Of tags."""
FILES = (VERSION_FILE, RECIPE, CONFIG, WEIGHTS, "sheet.png")


@dataclass(frozen=True)
class Registry:
    """A registry with a model of two versions and one of a single one, and an export of the first."""

    folder: Path

    @property
    def config(self) -> ClusterConfig:
        """Where it is."""
        return ClusterConfig(tracking_uri=f"sqlite:///{self.database}", artifacts=str(self.folder / "artifacts"))

    @property
    def database(self) -> Path:
        """Its file."""
        return self.folder / "mlflow.db"

    @property
    def options(self) -> tuple[str, ...]:
        """Those by which commands find it."""
        return "--cluster.tracking-uri", f"sqlite:///{self.database}"

    def fill(self) -> None:
        """Register the models."""
        self.folder.mkdir()
        client = runs.open_store(self.config)
        for seed, name in enumerate(("city", "city", "town")):
            registered(client, self.config, name, seed=seed, guided=False)
        exported = str(self.folder / "exported")
        models_export(ModelsExportConfig(model="models:/city/1", to=exported, cluster=self.config))
        shutil.copytree(self.folder / "artifacts", self.folder / "as-it-was")
        shutil.copy(self.database, self.folder / "as-it-was.db")

    def restore(self) -> None:
        """Take back all that was written since."""
        with closing(sqlite3.connect(self.folder / "as-it-was.db")) as before, closing(self.connect()) as now:
            before.backup(now)
        shutil.rmtree(self.folder / "artifacts")
        shutil.copytree(self.folder / "as-it-was", self.folder / "artifacts")

    def connect(self) -> sqlite3.Connection:
        """The database behind MLflow's back."""
        return sqlite3.connect(self.database)

    def write(self, statement: str, *values: object) -> None:
        """Change the database behind MLflow's back."""
        with closing(self.connect()) as connection, connection:
            connection.execute(statement, values)


@cache
def registries() -> Registry:
    """Filled once in each process that tries cases."""
    made = Registry(Path(tempfile.mkdtemp(prefix="registry-")) / "r")
    made.fill()
    return made


def model_registry(rng: np.random.Generator, folder: Path) -> Case:
    """An edited export that is imported, or an edited registry that is asked."""
    registries().restore()
    return edited_export(rng, folder) if rng.integers(2) else edited_registry(rng, folder)


def edited_export(rng: np.random.Generator, folder: Path) -> Case:
    """An export with one edited file, whose digest may be edited with it: imported, then shown and exported."""
    exported = Path(shutil.copytree(registries().folder / "exported", folder / "exported"))
    path = exported / FILES[int(rng.integers(len(FILES)))]
    before = path.read_bytes()
    done = damage(rng, path)
    is_changed = not path.is_file() or path.read_bytes() != before
    is_recorded = path.name != VERSION_FILE and path.is_file() and bool(rng.integers(2))
    if is_recorded:
        record_digests(exported, path.name)
    again = ("show", "models:/guest/1") if rng.integers(2) else ("export", "models:/guest/1", str(folder / "again"))

    def try_it() -> str:
        if magic("models", "import", exported, "--name", "guest", *registries().options)[0]:
            return "refused"
        if is_changed and path.name != VERSION_FILE and not is_recorded:
            raise UnacceptableError(f"imported, although {done}")
        if magic("models", *again, *registries().options)[0]:
            raise UnacceptableError(f"imported, but then not to {again[0]}: {done}")
        return "accepted"

    return Case(f"{done}{' with its digest' if is_recorded else ''}, models import", try_it)


def damage(rng: np.random.Generator, path: Path) -> str:
    """Edit, flip, cut, lose or replace a file; says what was done."""
    if path.suffix == ".json" and rng.integers(4):
        path.write_bytes(edit_json(rng, path.read_bytes()))
        return f"edited {path.name}: {path.read_bytes()[:60]!r}"
    if not rng.integers(6):
        path.unlink()
        os.mkfifo(path)
        return f"{path.name} is a pipe"
    return f"{(flip, cut, lose)[int(rng.integers(3))](rng, path, path)} {path.name}"


def record_digests(exported: Path, name: str) -> None:
    """Let an export say that an edited file belongs there."""
    told = json.loads((exported / VERSION_FILE).read_text())
    told["files"][name] = hashlib.sha256((exported / name).read_bytes()).hexdigest()
    model = (exported / CONFIG).read_bytes() + b"\0" + (exported / WEIGHTS).read_bytes()
    told["digest"] = hashlib.sha256(model).hexdigest()
    (exported / VERSION_FILE).write_text(json.dumps(told))


def edited_registry(rng: np.random.Generator, folder: Path) -> Case:
    """A registry with one edited entry, which is asked in one of five ways."""
    done = EDITS[int(rng.integers(len(EDITS)))](rng)
    commands: dict[str, tuple[object, ...]] = {
        "list": (),
        "show": (rng.choice(["city", "models:/city/1", "models:/town@current"]),),
        "compare": ("models:/city/1", "town", "--sheet", folder / "sheet.png"),
        "promote": ("models:/city/1", "--alias", "prod", "--why", "so"),
        "export": (rng.choice(["city", "models:/city/1"]), folder / "exported"),
    }
    command = str(rng.choice(list(commands)))

    def try_it() -> str:
        code, line = magic("models", command, *commands[command], *registries().options)
        if code and command == "list":
            raise UnacceptableError(f"one odd entry spoils the list: {line}")
        return "refused" if code else "accepted"

    return Case(f"{done}, models {command}", try_it)


def one_of(rng: np.random.Generator, values: tuple[Any, ...]) -> Any:
    """One value of several."""
    return values[int(rng.integers(len(values)))]


def edit_version_tag(rng: np.random.Generator) -> str:
    """A tag of the first version."""
    key, value = one_of(rng, KEYS), one_of(rng, TEXTS)
    registries().write(
        "insert or replace into model_version_tags (key, value, name, version) values (?, ?, 'city', 1)", key, value
    )
    return f"tag {key!r} = {value[:40]!r}"


def lose_version_tag(rng: np.random.Generator) -> str:
    """The first version without a tag, as another program would register it."""
    key = one_of(rng, KEYS)
    registries().write("delete from model_version_tags where name = 'city' and version = 1 and key = ?", key)
    return f"no tag {key!r}"


def edit_promotions(rng: np.random.Generator) -> str:
    """The tag with all promotions of a model."""
    value = one_of(rng, TEXTS)
    registries().write(
        "insert or replace into registered_model_tags (key, value, name) values ('promotions', ?, 'city')", value
    )
    return f"promotions = {value[:40]!r}"


def edit_alias(rng: np.random.Generator) -> str:
    """An alias with an odd name, or of a version that is not there."""
    alias, version = one_of(rng, ("current", "prod", *TEXTS)), one_of(rng, (1, 99, -1))
    registries().write(
        "insert or replace into registered_model_aliases (alias, version, name) values (?, ?, 'city')", alias, version
    )
    return f"alias {alias[:40]!r} of version {version}"


def edit_version(rng: np.random.Generator) -> str:
    """What the registry knows of the first version."""
    column = one_of(rng, ("source", "run_id", "status", "description", "user_id", "current_stage"))
    value = one_of(rng, SOURCES) if column == "source" else one_of(rng, (None, *TEXTS))
    registries().write(f"update model_versions set {column} = ? where name = 'city' and version = 1", value)
    return f"{column} = {value!r:.40}"


def add_model(rng: np.random.Generator) -> str:
    """A model with an odd name and without versions."""
    name = one_of(rng, TEXTS)
    registries().write("insert into registered_models (name, creation_time, last_updated_time) values (?, 1, 1)", name)
    return f"a model {name[:40]!r}"


def edit_run(rng: np.random.Generator) -> str:
    """A setting or a tag of the run."""
    run_id, table = first_version().run_id, one_of(rng, ("params", "tags"))
    key, value = one_of(rng, KEYS), one_of(rng, TEXTS)
    registries().write(f"insert or replace into {table} (key, value, run_uuid) values (?, ?, ?)", key, value, run_id)
    return f"{table} of the run: {key!r} = {value[:40]!r}"


def edit_files(rng: np.random.Generator) -> str:
    """A file of the first version, where the registry keeps it."""
    return damage(rng, files_of(first_version()) / one_of(rng, FILES[1:]))


def first_version() -> registry.ModelVersion:
    """The version that is edited."""
    return registry.find(runs.open_store(registries().config), "models:/city/1")


EDITS: tuple[Callable[[np.random.Generator], str], ...] = (
    *(edit_version_tag, edit_version_tag, lose_version_tag, edit_promotions, edit_alias, edit_version, add_model),
    *(edit_run, edit_files),
)
"""What is done to a registry, as often as it stands here."""
REGISTRY = Kind(model_registry, 100, registries)
