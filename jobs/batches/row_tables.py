"""Tables of named columns, as CSV, JSON lines or Parquet; on any storage."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from magic.checks import require, shown, typed_line
from pipelines.storage.door import read_object

Rows = Sequence[Mapping[str, Any]]
"""Rows by column. A value is text, a number, a truth value, a list of texts or numbers, or None."""
SEPARATOR = ";"
"""Between several values in one cell of a CSV."""
MAX_CELL_CHARS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFormat:
    """One format of tables."""

    ending: str
    read: Callable[[bytes], Rows]
    write: Callable[[Rows, Sequence[str]], bytes]


def read_table(url: str) -> Rows:
    """The rows of a table.

    Raises:
        ValueError: if there is none, or it is damaged or empty.
    """
    form = format_of(url)
    data = read_object(url)
    require(data is not None, f"a table at {shown(url)}", "no file", "check its address")
    try:
        rows = form.read(data or b"")
    except (UnicodeError, json.JSONDecodeError, csv.Error, pa.ArrowException, RecursionError) as error:
        raise ValueError(
            f"expected a table ({form.ending}) at {shown(url)}, got: {typed_line(error)}; mend it"
        ) from error
    require(bool(rows), f"a row for each poster in {shown(url)}", "none", "add rows below the names of the columns")
    return rows


def format_of(url: str) -> TableFormat:
    """The format that a table's ending names.

    Raises:
        ValueError: if the ending is not known.
    """
    endings = [each.ending for each in FORMATS]
    found = next((each for each in FORMATS if url.lower().endswith(each.ending)), None)
    require(found is not None, f"a table that ends in {', '.join(endings)}", shown(url), "save it as one of these")
    assert found is not None
    return found


def _read_csv(data: bytes) -> Rows:
    csv.field_size_limit(MAX_CELL_CHARS)
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    names = [name.strip() for name in next(reader, [])]
    repeated = sorted({name for name in names if names.count(name) > 1})
    require(not repeated, "columns of different names", f"{repeated} twice", "rename or remove one")
    rows = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            require(
                len(cells) <= len(names),
                f"{len(names)} cells in line {reader.line_num}",
                len(cells),
                'put a cell with a comma into "..."',
            )
            rows.append({name: cell.strip() or None for name, cell in zip(names, cells, strict=False)})
    return rows


def _write_csv(rows: Rows, columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_text(row.get(column)) for column in columns] for row in rows)
    return text.getvalue().encode()


def as_text(value: Any) -> str:
    """A value as a cell of a CSV."""
    if isinstance(value, list | tuple):
        return SEPARATOR.join(map(as_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _read_json_lines(data: bytes) -> Rows:
    rows = [json.loads(line) for line in data.decode("utf-8-sig").splitlines() if line.strip()]
    require(all(isinstance(row, dict) for row in rows), "a JSON object in each line", "something else", "mend it")
    return rows


def _write_json_lines(rows: Rows, columns: Sequence[str]) -> bytes:
    lines = ({column: row[column] for column in columns if row.get(column) is not None} for row in rows)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _read_parquet(data: bytes) -> Rows:
    rows: Rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    return rows


def _write_parquet(rows: Rows, columns: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    arrays = {column: [_alike(row.get(column)) for row in rows] for column in columns}
    pq.write_table(pa.table({name: _array(values) for name, values in arrays.items()}), buffer)
    return buffer.getvalue()


def _alike(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _array(values: list[Any]) -> Any:
    """A column. Values of different types become texts."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else as_text(value) for value in values])


FORMATS = (
    TableFormat(ending=".csv", read=_read_csv, write=_write_csv),
    TableFormat(ending=".jsonl", read=_read_json_lines, write=_write_json_lines),
    TableFormat(ending=".parquet", read=_read_parquet, write=_write_parquet),
)
