"""Looks private names of libraries up for the canary tests: a name that is gone fails with one clear sentence."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest


def private_name(library: str, module: str, name: str, *, user: str) -> Any:
    """What a private name of a library stands for.

    Args:
        library: the distribution, whose version the failure states.
        module: where the name was found when the user was written.
        name: to look up.
        user: the file that uses it, which has to be changed when the name is gone.
    """
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        release = f"{library} {version(library)}"
        pytest.fail(f"{release} has no {module}.{name} any more ({error}): change {user}, which says what it is for")
