"""Odd names and addresses, for what is read and for what is written."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from jobs.models.transfer import ExportIdentity
from pipelines.pictures.reading import read_single, read_source
from pipelines.pictures.settings import SourceConfig
from pipelines.storage.addresses import is_utf8
from pipelines.storage.claims import IDENTITY, claim
from pipelines.storage.door import absolute, join, read_object, write_object
from tests.conftest import draw_pictures, finished_poster
from tests.hostile.cases import Case, Kind, UnacceptableError, answer, magic

Use = Callable[[Path, str, Path | None], str]
"""Does something with an address, in a case's folder; the file that it names, if it is one, is known."""
NAME_BYTES = 255
"""The longest name that the disk takes."""
PARTS = (
    "a", "photo", "::", ":", "s3:", "file:", "models:", "?", "*", "[1]", "{a,b}", "#", "%", "%20", "%2e%2e", "&amp;",
    " ",
    "..", "~", "$HOME", "`id`", "\\", "'", '"', "|", "<b>", "![x](y)", "\n", "\r", "\t", "\x1b[2J", "\x07", "\u202egnp",
    "\u2028", "\xa0", "ü", "u\u0308", "\U0001f5bc", "\udcff", "\udc80", "-", "x" * 120, "\u6f22" * 30, ".partial",
)  # fmt: skip
ADDRESSES = (
    "", " ", ".", "..", "~", "\0", "a\0.png", "s3://", "s3:///x.png", "s3:/b/x.png", "s4://b/x.png",
    "memory://", "http://[::1/x.png", "HTTP://127.0.0.1:9/x.png", "https://host:port/x.png", "file://", "file://host/x.png",
    "file:x.png",
    "zip://x.png::file.zip", "simplecache::file:///etc/hostname.png", "reference://x.png", "reference://::r.json",
    "data:image/png;base64,AA==.png", "github://a:b@c/x.png", "models:/a/1.png", "local://x.png",
    "dir::file:///etc/x.png",
    "/dev/full", "/dev/full/x.png", "/dev/stdin", "/proc/self/mem", "taken.png", "pipe.png", "link.png", "loop.png",
    "dangling.png", "device.png", "taken.png/x.png", "x/" * 2200 + "x.png", "../outside/../box/taken.png",
)  # fmt: skip
SPELLINGS: dict[str, Callable[[Path, str], str]] = {
    "as it is": lambda box, name: name,
    "from here": lambda box, name: f"./{name}",
    "around": lambda box, name: f"../{box.name}/{name}",
    "whole": lambda box, name: f"{box}/{name}",
    "as a URL": lambda box, name: f"file://{quote(os.fsencode(box))}/{quote(os.fsencode(name))}",
    "from home": lambda box, name: f"~/{box.name}/{name}",
}
"""How a file of the current folder can be named; all but the first one name nothing else."""


def place(rng: np.random.Generator, folder: Path) -> Case:
    """A name or an address, used as one of four things."""
    use = list(USES)[rng.integers(len(USES))]
    _fill(folder)
    if rng.random() < 0.4:
        url = ADDRESSES[rng.integers(len(ADDRESSES))]
        return Case(f"{use} {url[:200]!r}", partial(_try, USES[use], folder, url, None, must_work=False))
    name = "".join(PARTS[number] for number in rng.integers(len(PARTS), size=rng.integers(1, 5))) + ".png"
    spelling = list(SPELLINGS)[rng.integers(len(SPELLINGS))]
    url = SPELLINGS[spelling](folder / "box", name)
    is_name = len(os.fsencode(name)) <= NAME_BYTES
    must_work = is_name and is_utf8(name) and spelling != "as it is"
    target = folder / "box" / name if is_name else None
    return Case(f"{use} {spelling} {name[:200]!r}", partial(_try, USES[use], folder, url, target, must_work=must_work))


def _fill(folder: Path) -> None:
    """What may be in the way, and what must stay as it is."""
    box, outside = folder / "box", folder / "outside"
    box.mkdir()
    outside.mkdir()
    (outside / "mine.png").write_bytes(b"mine")
    (box / "taken.png").mkdir()
    os.mkfifo(box / "pipe.png")
    for name, target in (("link", outside / "mine.png"), ("dangling", outside / "none"), ("device", "/dev/zero")):
        (box / f"{name}.png").symlink_to(target)
    (box / "loop.png").symlink_to("loop.png")


def _try(use: Use, folder: Path, url: str, target: Path | None, *, must_work: bool) -> str:
    before = _state(folder)
    with _standing_in(folder):
        came = use(folder, url, target)
    if must_work and came != "accepted":
        raise UnacceptableError(f"{url[:200]!r} is a name like any other: {came}")
    if _state(folder) != before:
        raise UnacceptableError("something outside was changed")
    return came


def _state(folder: Path) -> list[object]:
    """What no case may change: its surroundings, and what was there."""
    entries = [sorted(place.iterdir()) for place in (folder, folder / "outside", Path("/"), Path("/dev"))]
    kinds = [stat.S_IFMT(path.lstat().st_mode) for path in sorted((folder / "box").glob("*.png")) if path.is_symlink()]
    return [entries, kinds, (folder / "outside" / "mine.png").read_bytes(), Path("/dev/full").is_char_device()]


@contextlib.contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    """With the box as the current folder, and the case's folder as the home folder."""
    home = os.environ["HOME"]
    os.environ["HOME"] = str(folder)
    with contextlib.chdir(folder / "box"):
        try:
            yield
        finally:
            os.environ["HOME"] = home


PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def _picture(folder: Path, url: str, target: Path | None) -> str:
    if target is not None:
        Image.fromarray(PIXELS).save(target, "PNG")

    def read() -> None:
        if not np.array_equal(read_single(url, "content").pixels, PIXELS):
            raise UnacceptableError("another picture")

    return answer(read)


def _source(folder: Path, url: str, target: Path | None) -> str:
    if target is not None:
        target.mkdir()
        Image.fromarray(PIXELS).save(target / "0.png")

    def read() -> None:
        if len(read_source(SourceConfig(urls=(url,)), min_side_px=1, name="style").pictures) != 1:
            raise UnacceptableError("other pictures")

    return answer(read)


def _export(folder: Path, url: str, target: Path | None) -> str:
    (folder / "outside" / "poster").mkdir()
    poster = finished_poster(folder / "outside" / "poster", draw_pictures(folder / "outside" / "poster"), 20, 24)
    code, _ = magic("export", poster.url, url)
    shutil.rmtree(poster.url)
    if code == 0 and Image.open(target or absolute(url)).size != (24, 20):
        raise UnacceptableError("no poster under its name")
    return "accepted" if code == 0 else "refused"


def _folder(folder: Path, url: str, target: Path | None) -> str:
    """As `magic models export` uses its folder."""

    def write() -> None:
        claim(absolute(url), ExportIdentity(digest="0"), "the folder")
        write_object(join(absolute(url), "card.md"), b"card")
        if target is not None and {path.name for path in target.iterdir()} != {"card.md", IDENTITY}:
            raise UnacceptableError("not under its name")
        if read_object(join(absolute(url), "card.md")) != b"card":
            raise UnacceptableError("not read again")

    return answer(write)


USES: dict[str, Use] = {
    "picture": _picture,
    "source": _source,
    "export": _export,
    "folder": _folder,
}


PLACE = Kind(place, num_tested=150)
