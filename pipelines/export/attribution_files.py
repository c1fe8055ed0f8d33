"""A poster's attribution as files in its folder: two tables for programs, and a page for people."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from magic.redaction import redact, redacted
from magic.tables import code_span, markdown_table
from pipelines.export.attribution import Attribution, PictureShare, TemplateShare, largest_first
from pipelines.storage.door import exists, file_name, join, read_object, write_object

TEMPLATES, PICTURES, TABLE = "attribution.parquet", "attribution-pictures.parquet", "attribution.md"
_SUPPLIED = {"pixels": "int64", "share": "float64"}
_CROP = {"crop_top": "int64", "crop_left": "int64", "turns": "int32", "flip": "bool"}
_SHOWN = dict.fromkeys(("shown_top", "shown_left", "shown_bottom", "shown_right"), "int64")
_PICTURE = {"picture": "int32", "url": "string", "sha256": "string"}
TEMPLATE_COLUMNS = {"template": "int32"} | _PICTURE | _SUPPLIED | _CROP | _SHOWN
PICTURE_COLUMNS = _PICTURE | {"templates": "int32"} | _SUPPLIED
"""Columns of the Parquet files, and their types."""
DIGEST_DIGITS = 12
"""Of a SHA-256, on the page for people."""


def write(attribution: Attribution, url: str) -> tuple[str, ...]:
    """Write the attribution into a folder, for programs and for people; the same one always gives the same bytes.

    Returns:
        The files' names: the templates' table, the pictures' table (both Parquet), and a page in Markdown.
    """
    write_object(join(url, TEMPLATES), _parquet(TEMPLATE_COLUMNS, _template_rows(attribution)))
    write_object(join(url, PICTURES), _parquet(PICTURE_COLUMNS, _picture_rows(attribution)))
    write_object(join(url, TABLE), _page(attribution).encode())
    return TEMPLATES, PICTURES, TABLE


def read_pictures(url: str) -> list[PictureShare] | None:
    """What a folder's attribution says of the style pictures, the largest first; None where it is not all there."""
    data = read_object(join(url, PICTURES))
    if data is None or not exists(join(url, TABLE)):  # the page is written last
        return None
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    return largest_first(PictureShare(row.pop("picture"), **row) for row in rows)


def _template_rows(attribution: Attribution) -> Iterator[list[Any]]:
    for share in attribution.templates:
        picture, crop = attribution.pictures[share.template.picture], share.template
        supplied = [share.number, picture.number, picture.url, picture.sha256, share.pixels, share.share]
        yield [*supplied, crop.top, crop.left, crop.turns, crop.flip, *(share.shown or [None] * 4)]


def _picture_rows(attribution: Attribution) -> Iterator[list[Any]]:
    for p in attribution.pictures:
        yield [p.number, p.url, p.sha256, p.templates, p.pixels, p.share]


def _parquet(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> bytes:
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    table = pa.Table.from_pylist([dict(zip(columns, redact(row), strict=True)) for row in rows], schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _page(attribution: Attribution) -> str:
    pictures = [
        [f"{p.share:.2%}", str(p.pixels), str(p.templates), code_span(p.url), p.sha256[:DIGEST_DIGITS]]
        for p in attribution.largest_first
    ]
    lines = ["# Where this poster comes from", ""]
    lines += ["Each pixel counts for the template whose weight is the largest there.", "", "## Style pictures", ""]
    lines += [markdown_table(["share of area", "pixels", "templates", "picture", "SHA-256"], pictures)]
    lines += ["", "## Templates", ""]
    lines += ["A crop: the row and column of the mirrored picture that lies at the poster's upper left corner, after"]
    lines += ["quarter turns to the left and a flip. Shown: rows and columns of the poster around all its pixels."]
    if attribution.warped:
        lines += ["This model moves its pieces before it blends them: they are from about there."]
    lines += [""]
    heads = ["template", "share of area", "pixels", "picture", "row", "column", "turns", "flip", "shown"]
    lines += [markdown_table(heads, [_page_row(attribution, share) for share in attribution.templates])]
    return redacted("\n".join(lines) + "\n")


def _page_row(attribution: Attribution, share: TemplateShare) -> list[str]:
    name = code_span(file_name(attribution.pictures[share.template.picture].url))
    crop, box = share.template, share.shown
    shown = "nowhere" if box is None else f"{box.top} to {box.bottom - 1}, {box.left} to {box.right - 1}"
    place = [str(crop.top), str(crop.left), str(crop.turns), "yes" if crop.flip else "no"]
    return [str(share.number), f"{share.share:.2%}", str(share.pixels), name, *place, shown]
