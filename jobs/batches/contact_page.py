"""The contact page of a batch: one file that any browser opens, from a disk or from a bucket."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobs.batches.row_records import Book, RowRecord
from jobs.batches.rows import Row
from jobs.posters.delivery import file_names
from magic.redaction import redact
from pipelines.export.formats import format_of
from pipelines.export.viewer_page import PAGE
from pipelines.storage.door import join, write_object

TEMPLATE = Path(__file__).parent / "page" / "index.html"
PLACE_OF_DATA = "DATA"


def write_page(book: Book, rows: Sequence[Row]) -> None:
    """Write it into the batch's folder."""
    data = json.dumps(redact([_shown(row, book.records[row.name]) for row in rows]), ensure_ascii=True)
    safe = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")  # it ends no script
    page = TEMPLATE.read_text().replace(PLACE_OF_DATA, safe, 1)
    write_object(join(book.url, "index.html"), page.encode())


def _shown(row: Row, record: RowRecord) -> dict[str, Any]:
    """What the page knows of a row. Its links are relative, so that the folder can be moved."""
    is_done = record.status == "done"
    folder = f"posters/{quote(row.name)}"
    names = file_names(row.config) if row.config and is_done else {}
    files = [
        {"name": name.rstrip("/"), "href": f"{folder}/{name}{PAGE if format_of(name).is_folder else ''}"}
        for name in names
    ]
    folders = [file["href"] for file in files if file["href"].endswith(PAGE)]
    return {
        "number": row.number,
        "name": row.name,
        "status": record.status,
        "reason": record.reason,
        "seconds": round(record.seconds, 2),
        "attempts": record.attempts,
        "size": record.size,
        "settings": ", ".join(f"{name} {value}" for name, value in record.settings.items()),
        "thumb": f"thumbs/{quote(row.name)}.jpg" if is_done else None,
        "link": next(iter([*folders, *(file["href"] for file in files)]), None),
        "files": files,
    }
