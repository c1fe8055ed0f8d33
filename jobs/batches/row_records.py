"""What became of each row of a batch: one record a row is the truth, all tables and pages follow from these.

Below the batch's folder::

    job.json                 says that the folder is a batch's
    posters/NAME/            a row's poster, as `magic poster` makes it
    rows/NAME.json           what became of the row
    thumbs/NAME.jpg          its poster, small
    results.csv              all rows with what became of them, in the format of the table that was given
    failed.csv               the rows that failed or were refused, to be given back as a table
    index.html               all of it to look at
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from jobs.batches.row_tables import TableFormat, as_text
from jobs.batches.rows import RESULT_PREFIX, Row, poster_url
from magic.redaction import redact, redacted
from pipelines.posters.poster_records import MeasuredError
from pipelines.storage.door import join, names_in, write_object
from pipelines.storage.records import Record

Status = Literal["done", "failed", "refused", "pending"]
Stage = Literal["", "settings", "inputs", "painting"]
ROWS = "rows"


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchIdentity(Record):
    """Says that a folder is a batch's. Its rows may change."""

    KIND: ClassVar[str] = "batch"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "a batch"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What a poster is made of, beside its row's settings; pictures and models by digest."""

    model: str
    style: str
    content: str | None
    threads: int
    """CPU threads of each worker, which the last bits depend on."""
    statistics: str | None = None
    """Of the manifest of the poster that statistics or templates are taken from."""
    group: str | None = None
    """Of all posters of its group, where it is in one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowRecord(Record):
    """What became of one row."""

    KIND: ClassVar[str] = "batch row"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the record of a batch's row"

    name: str
    status: Status
    settings: dict[str, str]
    """As they were given, without credentials."""
    url: str
    """Of the poster's folder."""
    inputs: Inputs | None = None
    """None where they could not be read."""
    stage: Stage = ""
    """Where it failed."""
    reason: str = ""
    """Why."""
    attempts: int = 0
    """How often its painting was begun since the row was last changed."""
    seconds: float = 0.0
    """From the beginning of its painting to its end."""
    tasks: int = 0
    """Tasks of workers that it, or its whole group, took in the last attempt."""
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    job: str | None = None
    """Digest of the poster that this row last began to paint in its folder."""
    pixels: str | None = None
    """Digest of the poster's pixels."""
    error: MeasuredError | None = None

    def columns(self) -> dict[str, Any]:
        """What a table of results says of it, beside its settings."""
        known = {
            "status": self.status,
            "stage": self.stage or None,
            "reason": self.reason or None,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 2),
            "url": self.url,
            "width": self.size and self.size[0],
            "height": self.size and self.size[1],
            "pixels": self.pixels,
            "error_levels": self.error and self.error.maximum,
        }
        return {RESULT_PREFIX + name: value for name, value in known.items()}


@dataclass
class Book:
    """The records of a batch's rows."""

    url: str
    """Of the batch's folder."""
    records: dict[str, RowRecord] = field(default_factory=dict)
    """By row, of the rows of this batch."""

    def open(self, rows: Sequence[Row]) -> None:
        """Read what is known of these rows."""
        existing = names_in(join(self.url, ROWS))
        for row in rows:
            record = self._read(row.name) if f"{row.name}.json" in existing else None
            self.records[row.name] = record or self.fresh(row)

    def fresh(self, row: Row) -> RowRecord:
        """The record of a row that nothing is known of."""
        settings = {name: redacted(as_text(value)) for name, value in row.cells.items() if value is not None}
        return RowRecord(name=row.name, status="pending", settings=settings, url=poster_url(self.url, row.name))

    def write(self, record: RowRecord) -> None:
        """Keep what became of a row."""
        self.records[record.name] = record
        record.write(join(self.url, ROWS, f"{record.name}.json"))

    def count(self, *statuses: Status) -> int:
        """How many rows have such a status."""
        return sum(record.status in statuses for record in self.records.values())

    def write_tables(self, rows: Sequence[Row], form: TableFormat) -> None:
        """Write the table of results, and that of the rows that are to be tried again; both without credentials."""
        given = list(dict.fromkeys(column for row in rows for column in row.cells))
        results = [redact({**row.cells, **self.records[row.name].columns()}) for row in rows]
        columns = [*given, *(name for name in results[0] if name not in given)]
        write_object(join(self.url, f"results{form.ending}"), form.write(results, columns))
        failed = [dict(row.cells) for row in rows if self.records[row.name].status in ("failed", "refused")]
        write_object(join(self.url, f"failed{form.ending}"), form.write(redact(failed), given))

    def _read(self, name: str) -> RowRecord | None:
        """A row's record; a damaged one counts as none, and its poster is looked at anew."""
        try:
            return RowRecord.read(join(self.url, ROWS, f"{name}.json"))
        except ValueError:
            return None
