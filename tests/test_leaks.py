"""Commands with secrets in all addresses, on this machine alone: what is left of the secrets, and who listens where.

The commands run in a process of its own, with a home, a temporary folder and a Ray session that are theirs alone.
"""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from pipelines.posters.finished_poster import FinishedPoster
from tests.servers.locked_pictures import ENDING, PASSWORD, SECRETS, USER, LockedPictures
from tests.test_end_to_end import SMALL

RUN = """
import json, sys
from pathlib import Path
from cluster.environment import prepare

prepare()  # before Ray is imported
from cluster.connection import ClusterConfig
from cluster.ray_session import ray_session
from jobs import cli

with ray_session(ClusterConfig()):  # one for all of them, which saves most of the time
    Path(sys.argv[2]).write_text(json.dumps([cli.main(each) for each in json.loads(sys.argv[1])]))
"""
ROOT = Path(__file__).parent.parent
LEFT_OUT = ("RAY_", "MLFLOW_", "AWS_", "TMPDIR")
"""Beginnings of variables that the commands are not told: their user has set nothing."""
POLL_S = 0.5
STATUSES = {
    "train": 0,
    "failing": 1,
    "poster": 0,
    "export": 0,
    "missing": 2,
    "copy": 0,
    "show": 0,
    "store": 2,
    "submit": 2,
}


@dataclass
class Observed:
    """What was seen of the commands."""

    folder: Path
    printed: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    """At which any of the processes listened."""
    titles: set[str] = field(default_factory=set)
    """Of those that listened."""
    tokens: set[str] = field(default_factory=set)
    modes: dict[str, int] = field(default_factory=dict)
    """Of the folder around Ray's sessions, by name."""


def commands(server: LockedPictures, work: Path) -> dict[str, list[str]]:
    store = ["--cluster.tracking-uri", f"sqlite:///{work}/mlflow.db"]
    style = [server.with_password("style/0.png"), server.with_token("style/1.png"), server.signed("style/2.png")]
    broken = server.signed("style/broken.png")
    train = ["--steps", 2, "--checkpoint-every", 2, "--out", work / "runs", *store]
    train += ["--cluster.artifacts", work / "mlruns", "--content.urls", server.signed("content/portrait.png")]
    train += [part for name, value in {**SMALL, "sheet-every": 2}.items() for part in (f"--{name}", value)]
    closing = ["--style.urls", server.signed(f"style/{ENDING}.png"), "--style.hold-megabytes", 0, "--max-failures", 0]
    poster = ["poster", "--model", "models:/secret@current", "--tile", 64, "--workers", 1, *store]
    poster += ["--style", *style, broken, "--also", "content", "--formats", "png", "viewer", "--out", work / "poster"]
    lists = {
        "train": ["train", "demo", "--name", "secret", *train, "--style.urls", *style, broken],
        "failing": ["train", "demo", "--name", "failing", *train, *closing],
        "poster": [*poster, "--content", server.with_password("content/portrait.png")],
        "export": ["export", work / "poster", work / "poster.tif", "--workers", 1],
        "missing": [*poster, "--content", server.with_password("content/none.png")],
        "copy": ["models", "export", "secret", work / "copy", *store],
        "show": ["models", "show", work / "poster", *store],
        "store": ["models", "list", "--cluster.tracking-uri", f"http://{USER}:{PASSWORD}@127.0.0.1:9/"],
        "submit": ["submit", *poster, "--content", server.with_token("content/portrait.png")],
    }
    return {name: list(map(str, args)) for name, args in lists.items()}


@pytest.fixture(scope="module")
def observed(pictures, tmp_path_factory) -> Iterator[Observed]:
    """All commands, one after the other, while their processes are watched."""
    folder = Path(tempfile.mkdtemp(prefix="leaks-", dir="/tmp"))  # short: sockets below it
    shown = tmp_path_factory.mktemp("shown")
    shutil.copytree(pictures, shown, dirs_exist_ok=True)
    shutil.copy(pictures / "style" / "0.png", shown / "style" / f"{ENDING}.png")
    (shown / "style" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir()
    server, seen = LockedPictures(shown), Observed(folder)
    try:
        _run(commands(server, folder / "work"), seen)
        yield seen
    finally:
        server.close()
        shutil.rmtree(folder)


def _run(todo: dict[str, list[str]], seen: Observed) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    environment |= {"HOME": str(seen.folder / "home"), "TMPDIR": str(seen.folder / "tmp"), "PYTHONPATH": str(ROOT)}
    ended, statuses = threading.Event(), seen.folder / "statuses.json"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(list(todo.values())), str(statuses)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=seen.folder / "work",
        env=environment,
    )
    watch = threading.Thread(target=_watch, args=(process.pid, seen, ended))
    watch.start()
    seen.printed, _ = process.communicate()
    ended.set()
    watch.join()
    assert statuses.exists(), seen.printed
    seen.statuses = dict(zip(todo, json.loads(statuses.read_text()), strict=True))


def _watch(pid: int, seen: Observed, ended: threading.Event) -> None:
    """Note where the process and all that it started listen, and the token that they are given."""
    while not ended.wait(POLL_S):
        try:
            root = psutil.Process(pid)
            family = {process.pid: process for process in [root, *root.children(recursive=True)]}
        except psutil.NoSuchProcess:
            return
        for connection in psutil.net_connections(kind="inet"):
            listens = connection.status == psutil.CONN_LISTEN or (
                connection.type == socket.SOCK_DGRAM and not connection.raddr
            )
            if connection.pid in family and listens:
                seen.addresses.add(connection.laddr.ip)
                _note(family[connection.pid], seen)
        for each in (seen.folder / "tmp").glob("magic-*"):
            seen.modes[each.name] = stat.S_IMODE(each.stat().st_mode)


def _note(process: psutil.Process, seen: Observed) -> None:
    try:
        seen.titles.add(" ".join(process.cmdline())[:200])
        seen.tokens.add(process.environ().get("RAY_AUTH_TOKEN", ""))
    except psutil.Error:  # it has ended
        pass


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def test_the_commands_do_what_they_should(observed):
    assert observed.statuses == STATUSES, observed.printed


def test_all_processes_listen_at_loopback_alone(observed):
    """Those of a training and of a poster: as `ss -ltnp` shows them."""
    for kind in ("gcs_server", "raylet", "RayTrainWorker", "TileWorker", "DashboardAgent"):
        assert any(kind in title for title in observed.titles), kind
    not_loopback = {each for each in observed.addresses if not _is_loopback(each)}
    assert not not_loopback


def _is_loopback(address: str) -> bool:
    ip = ip_address(address)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def test_ray_is_for_this_user_alone(observed):
    assert not (observed.folder / "home" / ".ray" / "auth_token").exists()
    assert set(observed.modes.values()) == {0o700}
    assert [each.name for each in (observed.folder / "tmp").glob("magic-*")] == [f"magic-{os.getuid()}"]
    tokens = observed.tokens - {""}
    assert len(tokens) == 1
    assert len(tokens.pop()) == 64


def test_no_secret_is_in_any_file(observed):
    """Run folders, posters, exports, MLflow's database and artifacts, Ray's sessions, the home and temporary folder."""
    read = files(observed.folder)
    kinds = (
        "job.json",
        "manifest.json",
        "recipe.json",
        "card.md",
        "attribution.md",
        "attribution.parquet",
        "poster.js",
    )
    kinds += ("attribution-pictures.parquet", "mlflow.db", "version.json", "raylet.out", "gcs_server.out", "files.json")
    assert [name for name in kinds if not any(path.endswith(name) for path in read)] == []
    tables = {path: pq.read_table(path).to_pylist() for path in read if path.endswith(".parquet")}
    read |= {f"{path}, unpacked": repr(rows).encode() for path, rows in tables.items()}
    secrets = [text.encode() for text in (*SECRETS, *(observed.tokens - {""}))]
    left = {path: text for path, data in read.items() for text in secrets if text in data}
    assert left == {}


def test_no_secret_is_printed(observed):
    assert "skipped http://127.0.0.1" in observed.printed
    assert "content/none.png" in observed.printed
    assert "a command without credentials" in observed.printed
    assert [text for text in (*SECRETS, *(observed.tokens - {""})) if text in observed.printed] == []


def test_no_bar_is_drawn_where_there_is_no_terminal(observed):
    """Not by the libraries either."""
    assert "\r" not in observed.printed


def test_what_is_read_again_takes_its_credentials_from_the_environment(observed):
    """A recorded address has none: the error says how to give them, and then the same picture is read."""
    poster = FinishedPoster.at(str(observed.folder / "work" / "poster"))
    with pytest.raises(ValueError, match=r"records hold no credentials.*FSSPEC_HTTP"):
        poster.style_picture(0)
    code = "import sys; from pipelines.posters.finished_poster import FinishedPoster as F; F.at(sys.argv[1]).scene()"
    headers = json.dumps({"headers": {"Authorization": LockedPictures.authorization()}})
    subprocess.run([sys.executable, "-c", code, poster.url], env=os.environ | {"FSSPEC_HTTP": headers}, check=True)
