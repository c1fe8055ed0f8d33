"""Which files are taken from folders and patterns, and what is said of the others."""

import logging
import os

import numpy as np
import pytest
from PIL import Image

from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading import read_single
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.sources import survey
from pipelines.storage.door import file_name
from tests.conftest import textured

ODD = ("pipe.png", "device.png", "sparse.png")


def save(path, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(textured(np.random.default_rng(0), 40, 50)).save(path, kind)


def names(url) -> list[str]:
    return [file_name(found) for found in list_pictures([str(url)])]


def make_odd(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "sparse.png").touch()
    os.truncate(folder / "sparse.png", 40_000_000_000)


def test_every_ending_of_a_format_that_is_read_is_taken(tmp_path):
    for name, kind in (
        ("a.avif", "AVIF"),
        ("b.JFIF", "JPEG"),
        ("c.jp2", "JPEG2000"),
        ("d.mpo", "MPO"),
        ("e.webp", "WEBP"),
    ):
        save(tmp_path / name, kind)
    assert names(tmp_path) == names(f"{tmp_path}/*") == ["a.avif", "b.JFIF", "c.jp2", "d.mpo", "e.webp"]
    for url in list_pictures([str(tmp_path)]):
        assert read_single(url, "style").pixels.shape == (40, 50, 3)


def test_links_to_folders_are_followed_once(tmp_path):
    save(tmp_path / "elsewhere" / "far.png")
    save(tmp_path / "set" / "deep" / "near.png")
    for link, target in (("a link", "elsewhere"), ("another", "elsewhere"), ("a loop", "set"), ("a copy", "set/deep")):
        (tmp_path / "set" / link).symlink_to(tmp_path / target)
    found = list_pictures([f"{tmp_path}/set"])
    assert [name.removeprefix(f"{tmp_path}/set/") for name in found] == ["a link/far.png", "deep/near.png"]
    assert names(f"{tmp_path}/set/*link/*.png") == ["far.png"]
    assert names(f"{tmp_path}/set/**/*.png") == ["far.png", "near.png"]


def test_hidden_files_and_caches_are_left_out_and_one_line_says_so(tmp_path, caplog):
    save(tmp_path / "good.png")
    hidden = (".thumbnails/a.png", "@eaDir/good.png/SMALL.png", "__MACOSX/._good.png", ".b.png", "deep/.c/d.png")
    for name in hidden:
        save(tmp_path / name)
    for name in ("notes.txt", "\033[31mred\n.txt", "photo.heic"):
        (tmp_path / name).write_bytes(b"text")
    for url in (tmp_path, f"{tmp_path}/**"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert names(url) == ["good.png"]
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith(f"{url}: left out 8 of 9 files: ")
        assert "5 hidden, or kept by another program" in line
        assert "3 without the ending of a picture format that is read" in line
        assert "photo.heic" in line
        assert line.isprintable()
    assert names(tmp_path / ".thumbnails") == ["a.png"], "a folder that is named itself is searched"


def test_a_file_that_is_named_may_have_any_ending(tmp_path):
    save(tmp_path / ".hidden.data")
    assert names(tmp_path / ".hidden.data") == [".hidden.data"]


@pytest.mark.parametrize("url", ["", " "])
def test_no_url_is_not_the_current_folder(url):
    with pytest.raises(ValueError, match="expected the URL of a file, a folder or a glob of pictures"):
        list_pictures([url])


def test_brackets_of_a_pattern_are_explained(tmp_path):
    save(tmp_path / "folder [x]" / "a.png")
    with pytest.raises(ValueError, match=r"in which \[ begins a pattern: write \[\[\] for a \[ in a name"):
        list_pictures([f"{tmp_path}/folder [x]/*.png"])
    assert names(f"{tmp_path}/folder [[]x]/*.png") == names(tmp_path / "folder [x]") == ["a.png"]


@pytest.mark.parametrize("name", ODD)
def test_pipes_devices_and_enormous_files_are_refused_when_they_are_named(tmp_path, name):
    make_odd(tmp_path)
    with pytest.raises(ValueError, match=f"expected a style picture at .*{name}, got: expected (a .*file|at most)"):
        read_single(str(tmp_path / name), "style")


def test_pipes_devices_and_enormous_files_in_a_folder_are_skipped_by_name(ray_here, tmp_path):
    save(tmp_path / "good.png")
    make_odd(tmp_path)
    source = survey(SourceConfig(urls=(str(tmp_path),)), min_side_px=8, name="style")
    assert [file_name(picture.url) for picture in source.pictures] == ["good.png"]
    assert sorted(file_name(skipped.url) for skipped in source.skipped) == sorted(ODD)
