"""JSON as it is read here: an object in which every key stands once and every number can be computed with."""

import json
from functools import partial
from typing import Any

from magic.checks import first_line, is_number, short_repr


def parse_object(data: bytes | str, what: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        data: the file.
        what: it should be, in an error's words: "a model's recipe at some/folder/recipe.json".

    Raises:
        ValueError: if it is no JSON or no object, if it is nested too deeply, if a key stands twice or cannot be
            printed, or if a number is not finite or needs more than 64 bits.
    """
    try:
        value = json.loads(data, object_pairs_hook=_object, parse_constant=_FLOAT, parse_float=_FLOAT, parse_int=_INT)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected {what}, got no JSON: {first_line(error)}; put the file back as it was") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected {what}, got JSON that is no object; put the file back as it was")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {short_repr(name)} stands twice in an object")
        if not name.isprintable():
            raise ValueError(f"the key {short_repr(name)} cannot be printed")
        found[name] = value
    return found


def _number(kind: type[int] | type[float], text: str) -> int | float:
    number = kind(text)
    if not is_number(number):
        raise ValueError(f"{short_repr(text)} is no number that can be computed with")
    return number


_INT, _FLOAT = partial(_number, int), partial(_number, float)
