"""Names of files in what people read: a terminal, a log, a page. They may hold anything, and never do anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.models.recipe import TrainingIdentity
from magic.checks import MAX_LINE, first_line, printable
from magic.scene.memory import Template
from magic.tables import code_span, markdown_table
from pipelines.export.attribution import Attribution, PictureShare, TemplateShare
from pipelines.export.attribution_files import TABLE, write
from pipelines.pictures.source_records import SourceIdentity
from pipelines.storage.claims import claim
from tests.hostile.cases import magic

ODD = "a\x1b[31m\r\n# b\u202e<script>|[x](www.evil.org)`c`\\.png"


def test_an_error_about_an_odd_name_is_one_line_of_printable_characters(tmp_path):
    for url in (f"{tmp_path}/{ODD}", f"{tmp_path}/{'x' * 5000}", f"{tmp_path}/a\udcff.png", f"zip://{ODD}::x"):
        for args in (("score", url, "--style.urls", url), ("export", url, "x.png"), ("verify", url)):
            code, line = magic(*args)  # which fails unless it is one such line
            assert code in (1, 2)
            assert len(line) <= MAX_LINE + 20


def test_log_lines_have_no_control_characters(tmp_path):
    (tmp_path / "folder").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/folder/\xff\x1b[2J\nERROR forged.png")).touch()
    command = [sys.executable, "-m", "jobs.cli", "score", f"{tmp_path}/folder"]
    run = subprocess.run(command, capture_output=True, check=False, cwd=Path(__file__).parents[2])
    lines = run.stderr.decode().splitlines()
    assert lines[-1].startswith("magic: expected pictures at")
    assert r"1 with a name that is not UTF-8 ('\udcff\x1b[2J\nERROR forged.png')" in lines[-1]
    assert all(line.isprintable() for line in lines)


def test_the_page_of_an_attribution_shows_names_and_nothing_else(tmp_path):
    picture = PictureShare(0, f"/photos/{ODD}", "0" * 64, 1, 9, 1.0)
    template = TemplateShare(0, Template(0, 0, 0, False, 0), 9, 1.0, None)
    write(Attribution((template,), (picture,)), str(tmp_path))
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert all(line.isprintable() for line in lines)
    rows = [line for line in lines if "script" in line]
    spans = [code_span(name).replace("|", "\\|") for name in (f"/photos/{ODD}", ODD)]
    assert [span in row for span, row in zip(spans, rows, strict=True)] == [True, True]


@pytest.mark.parametrize("cell", ["a|b", "a\\|b", "a\\\\|b", "|", "\\"])
def test_a_cell_of_a_table_stays_one(cell):
    """As GitHub reads rows: a backslash takes the character behind it along, and a bar alone ends a cell."""
    row = markdown_table(["x"], [[cell]]).splitlines()[-1]
    bars, escaped = 0, False
    for character in row:
        bars += character == "|" and not escaped
        escaped = character == "\\" and not escaped
    assert bars == 2


def test_every_character_is_printable_or_written_out():
    for code in [*range(0x3000), *range(0xD800, 0xE000), 0xFEFF, 0xFFFF, 0x1F5BC, 0xE0001]:
        character = chr(code)
        shown = printable(character)
        assert shown.isprintable()
        assert shown == character or shown.startswith("\\")
    assert first_line(ValueError("\n  a\x07b \n c")) == r"a\x07b"


def test_a_training_on_the_same_pictures_is_the_same_wherever_they_are(tmp_path):
    def identity(url: str, digest: str = "1") -> TrainingIdentity:
        source = SourceIdentity(urls=(url,), scale=1.0, square_px=None, shares=(), digest=digest, tone=None)
        return TrainingIdentity(name="a", content=source, style=source)

    for url in ("/a/b", "https://host/b.png?sig=1", "https://host/b.png?sig=2"):
        claim(str(tmp_path), identity(url), "the run's folder")
    with pytest.raises(ValueError, match=r"differs in content\.digest, style\.digest; choose another"):
        claim(str(tmp_path), identity("/a/b", "2"), "the run's folder")
