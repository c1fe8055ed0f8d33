"""Rows of a batch: the settings of each poster, from a table or from a product of pictures, models and seeds."""

import difflib
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from math import isfinite
from pathlib import PurePosixPath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jobs.batches.row_tables import SEPARATOR, Rows, as_text, read_table
from jobs.settings.batch_config import OF_THE_BATCH, BatchConfig
from jobs.settings.poster_config import PosterConfig
from magic.checks import first_line, require, require_plain_name, short_repr
from magic.options import PICTURES, PLACE, settings_of
from pipelines.pictures.picture_urls import list_pictures
from pipelines.storage.door import file_name, join

ID, GROUP, NUMBER = "id", "group", "number"
HINTS = {
    part.name: hint
    for part in fields(PosterConfig)
    if part.name not in OF_THE_BATCH and (hint := get_type_hints(PosterConfig)[part.name])
}
"""The settings that a row may have, and their types."""
RESULT_PREFIX = "result_"
"""Of the columns that a table of results has beside its rows' settings: they are ignored when it is given as input."""
MAX_LISTED = 10
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MAX_NAME_CHARS = 120


@dataclass(frozen=True, kw_only=True)
class Row:
    """One poster that is asked for."""

    number: int
    """In the table, from 1."""
    name: str
    """Of its folder and of its record; no other row has it."""
    cells: Mapping[str, Any]
    """Its settings as they were given, with the defaults of the batch; None where one is blank."""
    config: PosterConfig | None
    """None where its settings are refused."""
    group: str | None = None
    """Rows of one group share their statistics and their tone."""
    refusal: str = ""
    """Why they are."""


def read_rows(config: BatchConfig) -> list[Row]:
    """All rows of a batch.

    Raises:
        ValueError: for a table that cannot be read, unknown columns, or names that are not each row's own. What is
            wrong with a single row's values refuses that row alone.
    """
    defaults = defaults_of(config.set)
    given = read_table(config.table) if config.table else _product(config)
    cells = [_with_defaults(row, defaults) for row in given]
    _require_known(sorted({column for row in given for column in row if not column.startswith(RESULT_PREFIX)}))
    names = _names(config, cells)
    return [_row(config, number, name, row) for number, (name, row) in enumerate(zip(names, cells, strict=True), 1)]


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows that are painted together: those of a group; any other row alone."""
    groups: dict[str | int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.number if row.group is None else row.group, []).append(row)
    return list(groups.values())


def poster_url(batch: str, name: str) -> str:
    """Where a row's poster is."""
    return join(batch, "posters", name)


def defaults_of(assignments: Iterable[str]) -> dict[str, Any]:
    """Settings given as name=value.

    Raises:
        ValueError: if one is not, or its name is unknown.
    """
    pairs = [text.partition("=") for text in assignments]
    bad = next((name for name, equals, _ in pairs if not equals), None)
    require(bad is None, "--set name=value", bad, "write --set width=2000, say")
    defaults = {name.strip().replace("-", "_"): value for name, _, value in pairs}
    _require_known(list(defaults))
    return defaults


def _product(config: BatchConfig) -> Rows:
    pictures = list_pictures(config.content)
    return [
        {"content": picture, "model": model, "seed": seed}
        for picture, model, seed in product(pictures, config.model, config.seeds)
    ]


def _with_defaults(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    filled = {name: defaults.get(name) if value in (None, "", []) else value for name, value in row.items()}
    return {**filled, **{name: value for name, value in defaults.items() if name not in filled}}


def _require_known(columns: Sequence[str]) -> None:
    for column in columns:
        if column in OF_THE_BATCH:
            raise ValueError(
                f"expected columns that may differ from row to row, got {column!r}; give it to the command as "
                f"--{column.replace('_', '-')}"
            )
        known = [ID, GROUP, *HINTS]
        if column not in known:
            near = difflib.get_close_matches(column, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"expected columns of `magic poster`'s settings, got {column!r}; did you mean {near!r}?")


def _names(config: BatchConfig, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each row.

    Raises:
        ValueError: if the pattern cannot be filled, a name is no name of a folder, or two are the same on some disks.
    """
    pattern = config.names or ("{id}" if any(row.get(ID) is not None for row in rows) else "{content}-{model}-{seed}")
    try:
        fields_asked = [(name, spec) for _, name, spec, _ in string.Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ValueError(f"expected --names like {{content}}-{{seed}}, got {pattern!r}: {error}; mend it") from error
    asked = {name for name, _ in fields_asked}
    unknown = sorted(asked - {ID, GROUP, NUMBER, *HINTS})
    require(not unknown, "columns in the braces of --names", unknown, "name columns of the table, or number")
    formatted = [f"{{{name}:{spec}}}" for name, spec in fields_asked if spec and name != NUMBER]
    require(not formatted, "a format like {number:03} for number alone", formatted, "leave out the format")
    names = [_name(pattern, asked, number, row) for number, row in enumerate(rows, 1)]
    alike = defaultdict(list)
    for number, name in enumerate(names, 1):
        alike[name.casefold()].append(f"{short_repr(name)} (row {number})")
    same = [" and ".join(group) for group in alike.values() if len(group) > 1]
    listed = "; ".join(same[:MAX_LISTED]) + ("; ..." if len(same) > MAX_LISTED else "")
    require(not same, "a name for each row that no other has, also where a and A are the same", listed, "see --names")
    return names


def _name(pattern: str, asked: Iterable[str], number: int, row: Mapping[str, Any]) -> str:
    require(ID not in asked or row.get(ID) is not None, f"an id in row {number}", None, "fill it in, or see --names")
    values = {column: 0 if column == "seed" and row.get(column) is None else row.get(column) for column in asked}
    parts = {column: _part(column, as_text(value)) for column, value in values.items()}
    try:
        name = pattern.format(**{**parts, NUMBER: number})
        require_plain_name(name)
        is_short = len(name) <= MAX_NAME_CHARS and name.strip(".") == name
        require(is_short, f"{MAX_NAME_CHARS} characters at most, no dot at either end", short_repr(name), "shorten it")
    except ValueError as error:
        raise ValueError(f"row {number} has no name: {error}; give other ids, or other --names") from error
    return name


def _part(column: str, text: str) -> str:
    """A setting's value as part of a name: of a picture the name of its file, of a model its name and version."""
    setting = next((each for each in settings_of(PosterConfig) if each.name == column), None)
    if setting is not None and setting.names is PICTURES:
        text = PurePosixPath(file_name(text)).stem
    elif setting is not None and setting.names is PLACE:
        text = text.removeprefix("models:/") if text.startswith("models:/") else file_name(text)
    else:
        return text
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


def _row(config: BatchConfig, number: int, name: str, cells: dict[str, Any]) -> Row:
    shared: dict[str, Any] = {
        "out": poster_url(config.out, name),
        "workers": config.workers,
        "gpu_share": config.gpu_share,
        "threads": config.threads,
        "memory_gb": config.memory_gb,
        "cluster": config.cluster,
    }
    kept = {column: value for column, value in cells.items() if not column.startswith(RESULT_PREFIX)}
    given = {column: value for column, value in kept.items() if value is not None}
    group = as_text(given[GROUP]) if GROUP in given else None
    try:
        values = {name: value_of(name, value) for name, value in given.items() if name in HINTS}
        require("model" in values, "a model", None, "fill in the column model, or --set model=...")
        settings = PosterConfig(**shared, **values)
    except (ValueError, TypeError) as error:
        return Row(number=number, name=name, cells=kept, config=None, group=group, refusal=first_line(error))
    return Row(number=number, name=name, cells=kept, config=settings, group=group)


def value_of(column: str, given: Any) -> Any:
    """A cell as the setting's type.

    Raises:
        ValueError: if it is none.
    """
    try:
        return _converted(HINTS[column], given)
    except ValueError as error:
        raise ValueError(f"expected {column} to be {error}, got {short_repr(given)}; mend the cell") from error


def _converted(hint: Any, given: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _converted(next(part for part in parts if part is not NoneType), given)
    if origin is tuple:
        items = given if isinstance(given, list | tuple) else as_text(given).split(SEPARATOR)
        return tuple(_converted(parts[0], item.strip() if isinstance(item, str) else item) for item in items)
    if origin is Literal:
        if as_text(given) not in parts:
            raise ValueError(f"one of {', '.join(parts)}")
        return as_text(given)
    if hint is bool:
        if as_text(given).lower() not in TRUTH:
            raise ValueError("true or false")
        return TRUTH[as_text(given).lower()]
    if hint is str:
        return as_text(given)
    return _number(hint, given)


def _number(hint: Any, given: Any) -> Any:
    """A number from a cell; tables write whole numbers as 5.0, too."""
    noun = "a whole number" if hint is int else "a number"
    try:
        if hint is int and isinstance(given, int | str) and as_text(given).strip().lstrip("+-").isdecimal():
            return int(given)  # however large
        number = float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(noun) from error
    if not isfinite(number) or (hint is int and number != int(number)):
        raise ValueError(noun)
    return number if hint is float else int(number)
