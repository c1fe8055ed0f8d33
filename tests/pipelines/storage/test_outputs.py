"""What may be written, and what is read: regular files, and nothing that would hang, fill memory or be replaced."""

import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from pipelines.storage import door, file_systems
from pipelines.storage.door import fetch, is_new, read_object, replacing, write_object
from pipelines.storage.outputs import require_file, require_folder


@pytest.mark.parametrize(
    "place", ["/dev/full", "/dev/stdout", "/dev/null", "folder", "pipe", "link", "dangling", "file/x"]
)
def test_nothing_but_a_regular_or_a_new_file_is_written(place, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    before = {path: path.lstat() for path in tmp_path.iterdir()}
    url = place if place.startswith("/") else f"{tmp_path}/{place}"
    for write in (require_file, lambda url: write_object(url, b"new"), lambda url: replacing(url).__enter__()):
        with pytest.raises(
            ValueError, match=r"expected a new or a regular file to write, got '.* is .*'; choose another"
        ):
            write(url)
    after = {path: path.lstat() for path in tmp_path.iterdir()}
    assert {path: (s.st_mode, s.st_ino, s.st_size) for path, s in after.items()} == {
        path: (s.st_mode, s.st_ino, s.st_size) for path, s in before.items()
    }


@pytest.mark.parametrize(
    "url", ["", "s3://", "s3://bucket", "s3://bucket/folder/", "memory://x/", "https://host/x", "x/"]
)
def test_an_address_without_a_file_is_no_output(url):
    with pytest.raises(ValueError, match="expected "):
        require_file(url)


@pytest.mark.parametrize("url", ["", "s3://", "https://host/x", "s3:/x", "/dev/null", "/dev/null/x", "/etc/passwd/x"])
def test_what_is_no_folder_is_no_output(url):
    with pytest.raises(ValueError, match="expected "):
        require_folder(url)


def test_a_link_to_a_folder_is_one(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "far")
    require_folder(f"{tmp_path}/out/poster")
    write_object(f"{tmp_path}/out/poster/a.json", b"{}")
    assert (tmp_path / "far" / "poster" / "a.json").exists()


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "ü" * 125 + ".png", "x.png"])
def test_any_name_that_the_disk_takes_can_be_written(name, tmp_path):
    with replacing(f"{tmp_path}/{name}") as path:
        path.write_bytes(b"large")
        assert not is_new(str(tmp_path / "..")), "other folders are there"
        assert is_new(str(tmp_path)), "half-written files do not count"
    write_object(f"{tmp_path}/{name}", b"small")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(name, b"small")]


def test_a_name_that_is_too_long_is_told_before_any_work(tmp_path):
    for url in (f"{tmp_path}/{'x' * 252}.png", f"{tmp_path}/{'x/' * 2100}x.png"):
        with pytest.raises(ValueError, match=r"got .* \.\.\. .*: File name too long; choose another"):
            require_file(url)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "socket", "sparse"])
def test_only_regular_files_of_some_size_are_read(kind, tmp_path):
    path = tmp_path / "generator.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    else:
        path.touch()
        os.truncate(path, 40_000_000_000)
    expected = (
        f"expected at most .* bytes at {path}" if kind == "sparse" else f"expected a regular file at {path}, got a"
    )
    for read in (read_object, fetch):
        with pytest.raises(ValueError, match=expected):
            read(str(path))


def test_an_object_that_is_too_large_is_not_read(s3, monkeypatch):
    write_object(f"{s3}/large.json", b"x" * 1001)
    assert read_object(f"{s3}/large.json", 1001) == b"x" * 1001
    monkeypatch.setattr(door, "READ_PAUSE_S", 60)  # it is not asked again
    for read in (read_object, fetch):
        with pytest.raises(ValueError, match=r"expected at most 1,000 bytes at .*large\.json, got 1,001"):
            read(f"{s3}/large.json", 1000)


@contextmanager
def web_server(answer):
    """The URL of a picture on a server that takes one connection after the other, and leaves them to a function."""

    def serve() -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = server.accept()
                connection.recv(10_000)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.png"


def test_a_server_that_sends_for_ever_is_left():
    """Of a file whose size nobody says, no more than the limit is taken."""

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
            while True:
                connection.send(b"x" * 65_536)

    with web_server(answer) as url, pytest.raises(ValueError, match="expected at most 3,000,000 bytes"):
        fetch(url, 3_000_000)


def test_a_server_that_says_nothing_is_left(monkeypatch):
    """Silent from the beginning, or in the middle of a file; asked again twice."""
    monkeypatch.setattr(file_systems, "SILENCE_S", 0.3)
    monkeypatch.setattr(door, "READ_PAUSE_S", 0.01)
    asked = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection)  # or it would be closed
        if len(asked) % 2 == 0:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    with web_server(answer) as url, pytest.raises(Exception, match=r"(?i)time"):
        fetch(url)
    assert len(asked) >= door.MAX_READ_ATTEMPTS
    for connection in asked:
        connection.close()
