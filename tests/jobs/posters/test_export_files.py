"""What `magic export` writes and refuses; tests/pipelines/export/test_picture_file.py reads the files themselves."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from jobs import cli
from jobs.posters.export_files import export
from jobs.settings.poster_config import ExportConfig
from pipelines.storage import door
from tests.pipelines.export.viewed import changed
from tests.servers.faults import meanwhile


@pytest.fixture(scope="module")
def finished(ray_here, make_poster):
    return make_poster(120, 140)


def test_files_of_a_layer_and_a_viewer(finished, tmp_path):
    to = tuple(f"{tmp_path}/{name}" for name in ("a.png", "b.tif", "c.jpg", "web/"))
    assert export(ExportConfig(poster=finished.url, to=to, layer="collage", dpi=150, workers=1)) == sorted(to)
    shown = {name: Image.open(tmp_path / name) for name in ("a.png", "b.tif", "c.jpg")}
    assert {image.size for image in shown.values()} == {(140, 120)}
    assert all(round(float(image.info["dpi"][0])) == 150 for image in shown.values())
    assert (tmp_path / "web" / "index.html").exists()
    collage = finished.whole("collage")
    assert (Image.open(tmp_path / "a.png").tobytes()) == collage.tobytes()


def test_quality_and_width_on_paper_reach_the_file(finished, tmp_path):
    for quality in (30, 95):
        export(ExportConfig(poster=finished.url, to=(f"{tmp_path}/{quality}.jpg",), quality=quality, width_cm=2.54))
    coarse, fine = (tmp_path / f"{quality}.jpg" for quality in (30, 95))
    assert coarse.stat().st_size < 0.7 * fine.stat().st_size
    assert round(float(Image.open(fine).info["dpi"][0])) == 140


def test_nothing_is_written_if_anything_cannot_be(finished, tmp_path, monkeypatch):
    foreign = tmp_path / "web"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="folder of a DeepZoom export to be new"):
        export(ExportConfig(poster=finished.url, to=(f"{tmp_path}/a.png", f"{foreign}/"), workers=1))
    with pytest.raises(ValueError, match=r"expected a file ending in \.png"):
        export(ExportConfig(poster=finished.url, to=(f"{tmp_path}/a.png", f"{tmp_path}/b.bmp")))
    usage = door.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(door.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ValueError, match=r"of free disk in .* for .*a\.png"):
        export(ExportConfig(poster=finished.url, to=(f"{tmp_path}/a.png",)))
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


@pytest.mark.parametrize("name", ["a::b.png", "s3:x.png", "a%20b.png", f"{'x' * 251}.png", "\x1b[2J\n<b>.png"])
def test_a_file_is_written_under_its_own_name(finished, name, tmp_path, capsys):
    assert cli.main(["export", finished.url, f"{tmp_path}/{name}"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("name", ["folder.png", "link.png", "null.png", "full.png"])
def test_what_is_no_regular_file_is_left_alone(finished, name, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / "folder.png").mkdir()
    for link, target in {"link.png": mine, "null.png": "/dev/null", "full.png": "/dev/full"}.items():
        (tmp_path / link).symlink_to(target)
    assert cli.main(["export", finished.url, f"{tmp_path}/a.png", f"{tmp_path}/{name}"]) == 2
    assert f"expected a new or a regular file to write, got '{tmp_path}/{name}" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
    assert (tmp_path / name).is_symlink() or (tmp_path / name).is_dir()
    assert mine.read_bytes() == b"mine"


def half_written(target: Path) -> Path:
    """What a process leaves of a file if it is killed while it writes."""
    with door.replacing(str(target)) as path:
        path.write_bytes(b"half")
        left = path.with_suffix(".kept")
        os.link(path, left)
    target.unlink()
    return left.rename(path)


def test_what_a_killed_export_left_goes(finished, tmp_path):
    left, at_work, other = (half_written(tmp_path / name) for name in ("a.png", "a.png", "b.png"))
    for path in (left, other):
        os.utime(path, (time.time() - 7200,) * 2)
    export(ExportConfig(poster=finished.url, to=(f"{tmp_path}/a.png",)))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.png", at_work.name, other.name])


def test_a_preview_is_called_one(finished, tmp_path, capsys):
    shutil.copytree(finished.url, tmp_path / "preview")
    preview = replace(changed(finished, statistics="preview"), url=str(tmp_path / "preview"))
    preview.record()
    export(ExportConfig(poster=preview.url, to=(f"{tmp_path}/a.png",)))
    assert "PREVIEW" in capsys.readouterr().out


def test_what_is_no_finished_poster(tmp_path, capsys):
    assert cli.main(["export", str(tmp_path), f"{tmp_path}/a.png"]) == 2
    assert "expected the folder of a finished poster" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["poster.png", "poster.tif", "poster.jpg"])
def test_an_export_that_is_killed_leaves_the_old_file(large, tmp_path, name):
    """And the next one is whole."""
    (tmp_path / name).write_text("the old one")
    command = [sys.executable, "-m", "jobs.cli", "export", large.url, f"{tmp_path}/{name}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with meanwhile(lambda: list(tmp_path.glob("*.partial")), process.kill, every_s=0.001) as killed:
        process.wait()
    assert killed
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / name).read_text() == "the old one"
    assert cli.main(["export", large.url, f"{tmp_path}/{name}", f"{tmp_path}/again-{name}"]) == 0
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
