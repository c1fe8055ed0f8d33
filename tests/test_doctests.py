"""The worked examples in docstrings are right, and every central type has one."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for package in ("magic", "pipelines", "cluster", "jobs")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(ray_here, name):
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("magic.geometry", "TileGrid"),
        ("magic.networks.norm", "Moments"),
        ("magic.networks.generator", "Generator"),
        ("magic.scene.memory", "MemorySet"),
        ("pipelines.workers.pool", "WorkerPool"),
    ],
)
def test_central_types_have_an_example(module, name):
    assert ">>> " in getattr(importlib.import_module(module), name).__doc__
