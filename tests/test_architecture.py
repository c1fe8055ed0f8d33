"""The shape of the project: who imports whom beyond import-linter, where facts live, and how large things are."""

import ast
import importlib
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from jobs.commands import COMMANDS
from jobs.models.recipe import Recipe, model_settings
from jobs.settings.recipes import RECIPES
from jobs.settings.training_config import TrainConfig
from magic.options import FREE, settings_of
from magic.systems import SYSTEMS, System
from pipelines.storage.records import Record

ROOT = Path(__file__).parent.parent
PACKAGES = ("magic", "pipelines", "cluster", "jobs")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ALL_FILES = FILES + sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_MEDIAN_LINES, MAX_MODULES = 300, 50, 8, 12


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(kind) -> Iterator[tuple[str, ast.AST]]:
    """All nodes of a kind in the four packages, with their files."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield name_of(path), node


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The dotted names that an import takes in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


@cache
def names_imported_by(file: str) -> dict[str, str]:
    """What the names that a file imports stand for, as dotted names."""
    names = {}
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {each.asname or each.name.split(".")[0]: each.name for each in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def taken_from_libraries(file: str, node: ast.Import | ast.ImportFrom | ast.Attribute) -> list[str]:
    """The dotted names that an import, or an attribute of an imported name, takes from other projects."""
    names = [] if isinstance(node, ast.Attribute) else imported(node)
    if isinstance(node, ast.Attribute):
        first, _, rest = ast.unparse(node).partition(".")
        names = [f"{names_imported_by(file)[first]}.{rest}"] if first in names_imported_by(file) else []
    return [name for name in names if name.split(".")[0] not in PACKAGES]


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_are_ours_and_not_those_of_other_projects_with_the_same_name(name):
    assert Path(importlib.import_module(name).__file__).parent == ROOT / name


def test_the_command_line_loads_nothing_heavy():
    heavy = ("torch", "ray", "mlflow", "numpy", "fsspec", "yaml", "pydantic")
    code = f"import sys, jobs.cli; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"


def test_every_installed_version_is_pinned():
    freeze = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True, check=True
    )
    pinned = set((ROOT / "constraints.txt").read_text().split())
    installed = {line.partition("+")[0] for line in freeze.stdout.split()}  # torch==2.13.0+cpu is torch 2.13.0
    assert {line for line in installed - pinned if not line.startswith(("nvidia-", "cuda-", "triton"))} == set()


# where facts live


def test_fsspec_is_imported_behind_the_one_door_to_storage():
    at = {file for file, node in nodes(ast.Import | ast.ImportFrom) for name in imported(node) if "fsspec" in name}
    assert at == {"pipelines/storage/file_systems.py"}


def test_private_names_of_libraries_are_imported_in_modules_that_say_so():
    # MLflow does not document what is below mlflow.utils; os._exit is documented, in spite of its name
    private = re.compile(r"(?!os\._exit$)(.*\.)?_(?!_)|mlflow\.utils\b")
    at = {
        file
        for file, node in nodes(ast.Import | ast.ImportFrom | ast.Attribute)
        for name in taken_from_libraries(file, node)
        if private.match(name)
    }
    assert at == {name_of(path) for path in FILES if path.name.startswith("private_")}, (
        "import private names in a module private_LIBRARY.py, with the reason and a canary test"
    )
    for path in FILES:
        if path.name.startswith("private_"):
            test = ROOT / "tests" / path.parent.relative_to(ROOT) / f"test_{path.name}"
            assert test.exists(), f"{name_of(path)} has no canary test at {name_of(test)}"


def test_systems_are_compared_by_name_in_their_registry_alone():
    names = set(get_args(System))
    assert names == set(SYSTEMS)
    compared = {
        file
        for file, node in nodes(ast.Compare)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and part.value in names
    }
    assert compared == set(), "ask the system's traits (magic/systems.py)"


def test_records_are_read_by_attribute():
    """Nothing outside of records reads a manifest, an identity or a recipe by key."""
    words = re.compile(r"manifest|recipe|identity|\bjob\b")
    read = {
        f"{file}: {ast.unparse(node)}"
        for file, node in nodes(ast.Subscript)
        if isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
        and words.search(ast.unparse(node.value))
    }
    assert read == set()


def test_records_are_frozen_and_of_different_kinds():
    for path in FILES:
        if re.search(r"\bRecord\)", path.read_text()):
            importlib.import_module(name_of(path).removesuffix(".py").replace("/", "."))
    found = [kind for kind in Record.__subclasses__() if kind.__module__.split(".")[0] in PACKAGES]
    kinds = {kind.__qualname__: kind for kind in found}.values()  # slots make a class anew
    assert len(kinds) >= 8
    assert all(kind.__dataclass_params__.frozen and kind.FORMAT >= 1 and kind.NOUN for kind in kinds)
    assert max(Counter(kind.KIND for kind in kinds).values()) == 1


def test_every_option_of_a_command_that_can_be_submitted_is_classified():
    for command in (command for command in COMMANDS if command.can_be_submitted):
        for setting in settings_of(command.settings):
            where = f"{command.settings.__name__}.{setting.name}"
            assert setting.effect is not None, f"{where}: say whether it shapes the result (magic/options.py)"
            assert setting.names is not None or not is_text(command.settings, setting.name), (
                f"{where}: say what its text names (magic/options.py)"
            )


def is_text(settings: type, name: str) -> bool:
    """Whether an option holds text that is not one of a few words."""
    first, _, rest = name.partition(".")
    kind = get_type_hints(settings)[first]
    return is_text(kind, rest) if rest else str in (kind, *get_args(kind))


def test_a_recipe_has_all_that_shapes_a_model():
    shaping = {setting.name.partition(".")[0] for setting in settings_of(TrainConfig) if setting.effect is not FREE}
    assert shaping == {field for field in Recipe.__dataclass_fields__ if field not in ("KIND", "FORMAT", "NOUN")}


def test_what_changes_no_model_is_no_part_of_what_a_training_is():
    config, names = RECIPES["demo"][1], {setting.name for setting in settings_of(Recipe)}
    free = [setting for setting in settings_of(config) if setting.effect is FREE and setting.name in names]
    assert free
    for part, name in (setting.name.split(".") for setting in free):
        changed = replace(config, **{part: replace(getattr(config, part), **{name: 3})})
        assert changed != config
        assert model_settings(changed) == model_settings(config), f"{part}.{name}"


# how large things are


def test_files_functions_and_folders_keep_their_size():
    long = {name_of(path): n for path in ALL_FILES if (n := len(path.read_text().splitlines())) > MAX_FILE_LINES}
    assert long == {}
    functions = [(file, node) for file, node in nodes(ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = {f"{file}: {node.name}": node.end_lineno - node.lineno + 1 for file, node in functions}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}
    assert statistics.median(node.end_lineno - node.lineno + 1 for _, node in functions) <= MAX_MEDIAN_LINES
    folders = Counter(name_of(path.parent) for path in ALL_FILES if path.name != "__init__.py")
    assert {folder: count for folder, count in folders.items() if count > MAX_MODULES} == {}


def test_a_file_name_means_one_thing():
    names = Counter(path.name for path in FILES if path.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} == set()


def test_every_room_says_what_lives_there():
    for path in (path for path in FILES if path.name == "__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert len(text) > 100, f"{name_of(path)}: say what lives here, what it may import, and who imports it"
