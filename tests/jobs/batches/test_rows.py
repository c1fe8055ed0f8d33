"""Tables become settings; what is wrong with all of them ends the batch, what is wrong with one refuses that row."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.batches.row_tables import FORMATS, read_table
from jobs.batches.rows import read_rows
from jobs.settings.batch_config import BatchConfig

ROWS = [
    {"id": "one", "model": "m", "content": "a.png", "width": 300, "formats": ["png", "tiff"], "mirror": True},
    {"id": "two", "model": "m", "content": "b, c.png", "style_scale": 0.5},
]


def batch(tmp_path, text=None, name="table.csv", **settings):
    if text is not None:
        (tmp_path / name).write_text(text)
    return BatchConfig(table=str(tmp_path / name), out=str(tmp_path / "out"), **settings)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.ending)
def test_each_format_gives_back_the_same_settings(tmp_path, form):
    columns = ["id", "model", "content", "width", "formats", "mirror", "style_scale"]
    (tmp_path / f"table{form.ending}").write_bytes(form.write(ROWS, columns))
    one, two = read_rows(batch(tmp_path, name=f"table{form.ending}"))
    assert (one.name, two.name) == ("one", "two")
    assert (one.config.width, one.config.formats, one.config.mirror) == (300, ("png", "tiff"), True)
    assert (two.config.content, two.config.style_scale, two.config.width) == ("b, c.png", 0.5, None)
    assert one.config.out == f"{tmp_path}/out/posters/one"
    again = form.write(read_table(str(tmp_path / f"table{form.ending}")), columns)
    assert again == (tmp_path / f"table{form.ending}").read_bytes()


def test_tables_of_other_programs(tmp_path):
    """A byte order mark, CRLF, blank lines and cells; numbers as texts and as floats."""
    text = "\ufeffid,model,width,seed,content\r\n\r\n1,m,,5.0, a.png \r\n"
    (row,) = read_rows(batch(tmp_path, text))
    assert (row.name, row.config.width, row.config.seed, row.config.content) == ("1", None, 5, "a.png")
    pq.write_table(pa.table({"id": [7], "model": ["m"], "content": ["a.png"], "seed": [3.0]}), tmp_path / "t.parquet")
    (row,) = read_rows(batch(tmp_path, name="t.parquet"))
    assert (row.name, row.config.seed) == ("7", 3)


def test_defaults_fill_what_is_blank(tmp_path):
    text = "id,model,content,width\na,m,x.png,\nb,m,x.png,90\n"
    one, two = read_rows(batch(tmp_path, text, set=("width=50", "formats=png;tiff", "style-scale=0.5")))
    assert (one.config.width, two.config.width) == (50, 90)
    assert one.config.formats == two.config.formats == ("png", "tiff")
    assert one.config.style_scale == 0.5


def test_a_product_of_pictures_models_and_seeds(pictures, tmp_path):
    settings = {"content": (f"{pictures}/style/*.png",), "model": ("models:/a@current", "out/b"), "seeds": (1, 2)}
    rows = read_rows(BatchConfig(out=str(tmp_path), **settings))
    assert len(rows) == 12
    assert rows[0].name == "0-a_current-1"
    assert rows[-1].name == "2-b-2"
    assert rows[-1].config.seed == 2
    rows = read_rows(BatchConfig(out=str(tmp_path), names="{number}.{seed}", **settings))
    assert [row.name for row in rows[:2]] == ["1.1", "2.2"]
    rows = read_rows(BatchConfig(out=str(tmp_path), names="p{number:03}", **settings))
    assert rows[11].name == "p012"


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("id,widht\na,5\n", {}, "got 'widht'; did you mean 'width'"),
        ("id,workers\na,3\n", {}, "got 'workers'; give it to the command as --workers"),
        ("id,id\na,m\n", {}, "columns of different names"),
        ("id,model\n", {}, "a row for each poster"),
        ("", {}, "a row for each poster"),
        ("id,model\na,m,c\n", {}, "2 cells in line 2, got 3"),
        ('id,model\n"a,m\n', {}, "expected a table .* got: .*Error"),
        ("id,model\na,m\nA,m\n", {}, "'a' .row 1. and 'A' .row 2."),
        ("id,model\na/b,m\n", {}, "row 1 has no name: .*letters, digits, '-', '_' and '.', got 'a/b'"),
        ("id,model\n..,m\n", {}, "row 1 has no name"),
        ("id,model\na,m\n,m\n", {}, "an id in row 2, got None"),
        ("id,model\na,m\n", {"set": ("width",)}, "--set name=value, got 'width'"),
        ("id,model\na,m\n", {"set": ("widht=3",)}, "did you mean 'width'"),
        ("id,model\na,m\n", {"names": "{nope}"}, "columns in the braces of --names"),
        ("id,model\na,m\n", {"names": "{"}, "expected --names like"),
        ("id,model\na,m\n", {"names": "{id:03}"}, "for number alone, got .*{id:03}"),
        ("id,model\na,m\n", {"names": "{number:x"}, "expected --names like"),
        ("id,model\na,m\n", {"names": "{number:Q}"}, "row 1 has no name"),
        ("id,model\na.,m\n", {}, "no dot at either end"),
    ],
)
def test_a_table_that_cannot_be_used_ends_the_batch(tmp_path, text, settings, message):
    with pytest.raises(ValueError, match=message):
        read_rows(batch(tmp_path, text, **settings))


@pytest.mark.parametrize(
    ("name", "data"),
    [("t.jsonl", b'{"id": 1'), ("t.jsonl", b"[1]"), ("t.parquet", b"no parquet"), ("t.csv", b"\xff\xfe\x00")],
)
def test_a_damaged_table_is_told(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"a table|a JSON object in each line"):
        read_rows(batch(tmp_path, name=name))
    with pytest.raises(ValueError, match=r"a table that ends in \.csv, \.jsonl, \.parquet"):
        read_rows(batch(tmp_path, "id", name="t.xlsx"))
    with pytest.raises(ValueError, match="no file"):
        read_rows(batch(tmp_path, name="missing.csv"))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"width": "wide"}, "expected width to be a whole number, got 'wide'"),
        ({"width": "1.5"}, "a whole number"),
        ({"width": "1e999"}, "a whole number"),
        ({"width": "-3"}, "width"),
        ({"mirror": "perhaps"}, "true or false"),
        ({"mode": "fast"}, "one of auto, whole"),
        ({"formats": "png;gif"}, "one of png"),
        ({"height": 5}, "a content picture, or --width and --height"),
        ({"model": None}, "a model"),
    ],
)
def test_a_bad_cell_refuses_its_row_alone(tmp_path, cells, reason):
    good = {"id": "good", "model": "m", "content": "a.png"}
    lines = [good, {**good, "id": "bad", **cells}]
    config = batch(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), name="t.jsonl")
    first, second = read_rows(config)
    assert first.config is not None
    assert second.config is None
    assert reason in second.refusal


def test_what_a_batch_is_made_of_is_given_once(tmp_path):
    for settings in ({}, {"table": "t.csv", "content": ("a",), "model": ("m",)}, {"content": ("a",)}):
        with pytest.raises(ValueError, match="either a table, or --content and --model"):
            BatchConfig(out=str(tmp_path), **settings)
    with pytest.raises(ValueError, match="no --seeds with a table"):
        BatchConfig(out=str(tmp_path), table="t.csv", seeds=(1,))
