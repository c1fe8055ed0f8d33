"""Objects on object storage: whole ones, large ones, many of them, and a storage that answers late."""

import numpy as np
import pytest
import s3fs
from PIL import Image

from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.upload import upload_pictures
from pipelines.storage.door import (
    exists,
    expand,
    fetch,
    file_name,
    join,
    names_below,
    read_object,
    remove,
    replacing,
    write_object,
)
from tests.conftest import textured

LARGE_BYTES = 120_000_000


def fresh() -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


def test_large_objects_go_in_parts_and_come_back(s3):
    data = np.random.default_rng(0).bytes(LARGE_BYTES)
    write_object(f"{s3}/large.bin", data)
    info = fresh().info(f"{s3}/large.bin")
    assert info["size"] == LARGE_BYTES
    assert info["ETag"].strip('"').endswith("-3"), "an object of several parts has their number in its tag"
    assert read_object(f"{s3}/large.bin") == data


def test_listings_go_on_behind_their_first_page(s3):
    files = fresh()
    files.pipe({f"{s3}/many/{number:04d}.png": b"x" for number in range(1100)})
    assert len(list_pictures([f"{s3}/many"])) == 1100


def test_what_is_not_there_is_none(s3):
    assert read_object(f"{s3}/nothing") is None
    assert not exists(f"{s3}/nothing")


def test_objects_are_whole_or_absent(tmp_path, s3):
    for url in (f"{tmp_path}/deep/er/x.json", f"{s3}/deep/x.json"):
        assert read_object(url) is None
        write_object(url, b"one")
        write_object(url, b"two")
        assert read_object(url) == b"two"
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["x.json"]


def test_pictures_of_this_machine_are_copied_once(s3, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a/one.png", "a/two.png", "b/one.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(textured(rng, 20, 30)).save(tmp_path / name)
    urls = [str(tmp_path / "a" / "one.png"), str(tmp_path / "*" / "one.png"), f"{s3}/there/already.png"]
    first = upload_pictures(urls, f"{s3}/inputs")
    assert first[2] == urls[2]
    assert read_object(first[0]) == (tmp_path / "a" / "one.png").read_bytes()
    same_names = list_pictures([first[1]])
    assert [name.rsplit("/", 1)[-1] for name in same_names] == ["000000-one.png", "000001-one.png"]
    made = fresh().info(first[0])["LastModified"]
    assert upload_pictures(urls, f"{s3}/inputs") == first
    assert fresh().info(first[0])["LastModified"] == made
    Image.fromarray(textured(rng, 20, 30)).save(tmp_path / "a" / "one.png")
    assert upload_pictures(urls, f"{s3}/inputs")[0] != first[0]
    with pytest.raises(ValueError, match="expected pictures at"):
        upload_pictures([str(tmp_path / "none")], join(s3, "inputs"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("photos/set?/what?.png", "what?.png"),
        ("s3://bucket/set?/", "set?"),
        ("https://example.org/a/one.png?X-Amz-Signature=secret", "one.png"),
    ],
)
def test_a_file_name_has_no_folder_and_no_query(url, name):
    assert file_name(url) == name


def test_pictures_with_a_question_mark_keep_their_names_and_kinds(s3, tmp_path):
    for name in ("what?.png", "other?.png"):
        (tmp_path / "set?").mkdir(exist_ok=True)
        Image.fromarray(textured(np.random.default_rng(0), 20, 30)).save(tmp_path / "set?" / name)
    (folder,) = upload_pictures([str(tmp_path / "set?")], f"{s3}/inputs")
    assert [file_name(url) for url in list_pictures([folder])] == ["other?.png", "what?.png"]
    with replacing(f"{s3}/why?.png") as path:
        path.write_bytes(b"large")
    assert fresh().info(f"{s3}/why?.png")["ContentType"] == "image/png"


@pytest.mark.parametrize("name", ["set?", "set*", "set[12]", "{set1,set2}"])
@pytest.mark.parametrize("storage", ["local", "s3"])
def test_what_looks_like_a_pattern_is_a_name_like_any_other(storage, name, request, tmp_path):
    """Removing one folder never removes another one that its name would fit."""
    root = str(tmp_path) if storage == "local" else request.getfixturevalue("s3")
    for folder in ("set1", "set2", name):
        for file in ("a.bin", "deep/b.bin"):
            write_object(f"{root}/{folder}/p/{file}", folder.encode())
    assert read_object(f"{root}/{name}/p/a.bin") == name.encode()
    assert fetch(f"{root}/{name}/p/a.bin") == name.encode()
    assert expand(f"{root}/{name}/p/a.bin").is_single
    with replacing(f"{root}/{name}/p/c.bin") as path:
        path.write_bytes(b"large")
    assert read_object(f"{root}/{name}/p/c.bin") == b"large"
    assert names_below(f"{root}/{name}/p") == {"a.bin", "c.bin", "deep/b.bin"}
    assert exists(f"{root}/{name}/p")
    remove(f"{root}/{name}/p")
    assert not exists(f"{root}/{name}/p/a.bin")
    assert names_below(f"{root}/{name}/p") == set()
    for folder in ("set1", "set2"):
        assert names_below(f"{root}/{folder}/p") == {"a.bin", "deep/b.bin"}
    remove(f"{root}/{name}/p")  # once more: nothing happens
