"""What a text names on storage, and what is refused: the same rules for what is typed and for what records say."""

import os
from pathlib import Path

import pytest

from pipelines.pictures.picture_urls import list_pictures
from pipelines.storage.addresses import PROTOCOLS, parse
from pipelines.storage.door import absolute, exists, expand, fetch, for_ray_train, for_zarr, read_object, write_object

ODD_NAMES = [
    "a::b.png",
    "s3:x.png",
    "100%.png",
    "a%20b.png",
    "what?.png",
    "a#b.png",
    " .png",
    "~x.png",
    "[1].png",
    "ü.png",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_path_is_a_path_whatever_is_in_it(name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    for url in (name, f"./{name}", f"{tmp_path}/{name}", f"file://{tmp_path}/{name}", f"../{tmp_path.name}/{name}"):
        assert absolute(url) == f"{tmp_path}/{name}"
        assert fetch(url) == b"mine"
        assert expand(url)[:2] == ([f"{tmp_path}/{name}"], True)
    write_object(f"{tmp_path}/new-{name}", b"new")
    assert (tmp_path / f"new-{name}").read_bytes() == b"new"


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "[" not in name])
def test_an_object_on_storage_has_any_name(name, s3):
    write_object(f"{s3}/set/{name}", b"mine")
    assert read_object(f"{s3}/set/{name}") == fetch(f"{s3}/set/{name}") == b"mine"
    assert expand(f"{s3}/set")[:2] == ([f"{s3}/set/{name}"], False)
    assert exists(f"S3{s3[2:]}/set/{name}")


def test_every_spelling_of_a_path_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    for url in ("photos", "./photos/", "~/photos", "deep/../photos", "link/../../photos", f"//{tmp_path}/photos"):
        assert absolute(url) == f"{tmp_path}/photos"
    for url in (
        f"file://{tmp_path}/my%20photos",
        f"file://localhost{tmp_path}/my%20photos",
        f"FILE://{tmp_path}/my photos",
    ):
        assert absolute(url) == f"{tmp_path}/my photos"
    assert absolute("~nobody-here/x") == f"{tmp_path}/~nobody-here/x"
    assert absolute("HTTP://host/A%20b?c=D#e") == "http://host/A%20b?c=D#e"
    assert absolute("S3://Bucket/Key") == "s3://Bucket/Key"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "a path or a URL, got ''"),
        (" \t", "a path or a URL"),
        ("a\0b", r"leave the character \\x00 out"),
        ("a\udcff.png", r"a name in UTF-8, got 'a\\udcff\.png'; rename it"),
        ("s3://", "as in s3://BUCKET/NAME, got 's3:// "),
        ("s3:///key", "nothing before the first /"),
        ("s3:/bucket/key", "begins with one of file://, memory://, http://, https://, s3://"),
        ("models:/a/1", "a path, or an address that begins with one of"),
        ("s4://bucket/x", "one of file://.*got 's4://bucket/x'; chains of protocols are not taken"),
        ("zip://a.png::s3://bucket/x.zip", "chains of protocols are not taken"),
        ("simplecache::s3://bucket/x.png", "chains of protocols are not taken"),
        ("reference://x", "chains of protocols are not taken"),
        ("http://[::1/x.png", r"as in http://HOST/NAME, got 'http://\[::1/x\.png \(Invalid IPv6 URL\)'; correct it"),
        ("https://host:port/x.png", "Port could not be cast"),
        ("file://host/x.png", "file:///PATH"),
    ],
)
def test_what_is_no_address(url, message):
    for refuse in (absolute, fetch, read_object, expand, for_zarr, for_ray_train):
        with pytest.raises(ValueError, match=message):
            refuse(url)
    with pytest.raises(ValueError, match="expected "):
        list_pictures([url])


def test_a_chain_is_never_followed(tmp_path, s3):
    """Not even behind a bucket: whatever follows it is the name of an object."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    for url in (f"{s3}/x::file://{tmp_path}/secret.png", f"memory://x::{tmp_path}/secret.png"):
        assert read_object(url) is None
        with pytest.raises(FileNotFoundError):
            fetch(url)
        with pytest.raises(ValueError, match="without ::"):
            for_zarr(url)
    assert for_zarr(f"{tmp_path}/a::b") == Path(f"{tmp_path}/a::b")


def test_storage_that_does_not_answer_is_told_with_what_to_set(s3_server, monkeypatch, tmp_path):
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    settings = "check the URL, and AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    with pytest.raises(OSError, match=f"expected storage that answers at s3://somewhere/x, got .*; {settings}"):
        exists("s3://somewhere/x")
    with pytest.raises(ValueError, match=f"expected pictures at s3://somewhere/x, got: .*; {settings}"):
        list_pictures(["s3://somewhere/x"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret-of-no-use")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no endpoint")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(OSError, match=f"Invalid endpoint: no endpoint; {settings}"):
        read_object("s3://somewhere/x")
    s3fs.S3FileSystem.clear_instance_cache()


def test_storage_whose_library_is_not_installed_is_told():
    missing = [name for name in ("gs", "az") if not _is_installed(name)]
    for protocol in missing:
        with pytest.raises(
            OSError, match=f"expected storage that answers at {protocol}://b/x, got ImportError: .*nstall"
        ):
            exists(f"{protocol}://b/x")


def _is_installed(protocol: str) -> bool:
    from fsspec import get_filesystem_class

    try:
        return bool(get_filesystem_class(protocol))
    except ImportError:
        return False


def test_every_protocol_has_an_example_that_is_one():
    for name, protocol in PROTOCOLS.items():
        assert parse(protocol.example).protocol == name


def test_a_folder_without_a_name_that_can_be_written_down(tmp_path, caplog):
    """The others are used; the one that no record could hold is named, in characters that a terminal can show."""
    (tmp_path / "good.png").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd\x1b.png")).touch()
    assert list_pictures([str(tmp_path)]) == [f"{tmp_path}/good.png"]
    assert "1 with a name that is not UTF-8 ('b\\udcffd\\x1b.png')" in caplog.text
