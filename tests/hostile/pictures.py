"""Odd and hostile pictures: a valid one has to be read with the right pixels, any other one right or not at all."""

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy import ndarray

from pipelines.pictures.formats.known import endings
from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading import fetch_pixels, read_picture, read_single
from pipelines.pictures.settings import SourceConfig
from tests.hostile.cases import Case, Kind, UnacceptableError, answer
from tests.hostile.files import other_files, second_reader
from tests.hostile.files.png_files import chunk, png, png_file
from tests.hostile.files.tiff_files import bilevel_tiff_file, tiff_file
from tests.hostile.files.valid_picture import ValidPicture

MAKERS = (
    png_file,
    png_file,
    tiff_file,
    tiff_file,
    bilevel_tiff_file,
    other_files.jpeg_file,
    other_files.webp_file,
    other_files.gif_file,
    other_files.bmp_file,
    other_files.jpeg2000_file,
    other_files.avif_file,
)
MAX_DAMAGE_LEVELS = 6
"""By which two readers may differ on a damaged picture that both take for a good one."""
MAX_BYTES = 500_000_000
"""Memory that there is for a picture: less than what a case may add to its process."""
FOREIGN = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "JPEG XL": b"\xff\x0a\xfa\x1f\x41\x91",
    "SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "Photoshop": b"8BPS\0\1",
    "PDF": b"%PDF-1.7",
    "PPM": b"P6 9999999 9999999 255\n",
    "ICO": b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0",
    "camera raw": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
}


def picture_case(rng: np.random.Generator, folder: Path) -> Case:
    """Any of them."""
    kinds = (valid_case, damaged_case, foreign_case, bomb_case, place_case)
    return kinds[rng.choice(len(kinds), p=(0.4, 0.4, 0.05, 0.05, 0.1))](rng, folder)


def valid_case(rng: np.random.Generator, folder: Path) -> Case:
    picture = MAKERS[rng.integers(len(MAKERS))](rng)
    path = folder / f"a{picture.ending}"
    path.write_bytes(picture.data)
    return Case(picture.name, lambda: _compared(path, picture))


def _compared(path: Path, picture: ValidPicture) -> str:
    shown = _read(path)
    if shown is None:
        if picture.must_be_read:
            raise UnacceptableError(f"a valid picture was refused: {_refusal(path)}")
        return "refused"
    second = second_reader.read(picture.data) if picture.is_compared else None
    if picture.pixels is None and second is None:
        raise UnacceptableError("no second reader")
    for other, what in ((picture.pixels, "what was written"), (second, "libvips")):
        _require_alike(shown, other, max(picture.tolerance, 2 * (other is second)), what)
    return "right"


def damaged_case(rng: np.random.Generator, folder: Path) -> Case:
    picture = MAKERS[rng.integers(len(MAKERS))](rng)
    data, damage = _damaged(bytearray(picture.data), rng)
    path = folder / f"a{picture.ending}"
    path.write_bytes(data)

    def try_it() -> str:
        shown = _read(path)
        if shown is None:
            return "refused"
        second = second_reader.read(data) if picture.is_compared else None
        _require_alike(shown, second, max(MAX_DAMAGE_LEVELS, picture.tolerance), "libvips")
        return "as it was" if second is None else "right"

    return Case(f"{picture.name}, {damage}", try_it)


def _damaged(data: bytearray, rng: np.random.Generator) -> tuple[bytes, str]:
    """A file with some bytes flipped, cut off, put in, taken out or repeated."""
    damages = []
    for _ in range(rng.integers(1, 4)):
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 20))
        place = min(place, 60) if rng.integers(3) == 0 else place  # headers more often
        kind = str(rng.choice(["flip", "flip", "set", "cut", "insert", "remove", "repeat", "size"]))
        if kind == "flip":
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == "set":
            data[place : place + length] = bytes([int(rng.choice([0, 255]))]) * length
        elif kind == "cut":
            del data[place + 1 :]
        elif kind == "insert":
            data[place:place] = rng.bytes(length)
        elif kind == "remove" and len(data) > length:
            del data[place : min(place + length, len(data) - 1)]
        elif kind == "repeat":
            data[place:place] = data[place : place + length]
        else:
            number = int(rng.choice([0, 1, 60_000, 2**31 - 1, 2**32 - 1]))
            data[place : place + 4] = struct.pack(str(rng.choice(["<I", ">I"])), number)
        damages.append(f"{kind} at {place}")
    return bytes(data), ", ".join(damages)


def foreign_case(rng: np.random.Generator, folder: Path) -> Case:
    """A format that is not read has to be named."""
    name = str(rng.choice(list(FOREIGN)))
    path = folder / "a.png"
    path.write_bytes(FOREIGN[name] + rng.bytes(int(rng.integers(100))))

    def try_it() -> str:
        if name not in _refusal(path):
            raise UnacceptableError(f"a {name} file was refused as: {_refusal(path)}")
        return "refused"

    return Case(f"{name} file", try_it)


def bomb_case(rng: np.random.Generator, folder: Path) -> Case:
    """A small file that declares an enormous picture."""
    side = int(rng.integers(60_000, 2**16))
    big = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    packed = zlib.compress(bytes(1_000_000))
    bombs = {
        "PNG": png(np.zeros((1, 1)), 0, 8)[:8] + chunk(b"IHDR", big) + chunk(b"IDAT", packed) + chunk(b"IEND", b""),
        "WebP": b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (side * 4).to_bytes(3, "little") * 2,
        "GIF": b"GIF89a"
        + struct.pack("<HH", side, side)
        + b"\0\0\0,\0\0\0\0"
        + struct.pack("<HH", side, side)
        + b"\0\2;",
        "BMP": b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, side * 9, side, 1, 32, 0, 0, 0, 0, 0, 0),
        "TIFF": b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHIIHHII", 256, 4, 1, side, 257, 4, 1, side) + bytes(4),
        "ICO": FOREIGN["ICO"] + struct.pack("<II", 60, 22) + chunk(b"IHDR", big),
    }
    name = str(rng.choice(list(bombs)))
    path = folder / "a.png"
    path.write_bytes(bombs[name])
    return Case(f"{name} bomb of {side} px", lambda: _refused(path))


def place_case(rng: np.random.Generator, folder: Path) -> Case:
    """What is no file, or not where one looks for pictures."""
    path = folder / f"a{rng.choice(endings())}"
    kind = str(rng.choice(["pipe", "device", "sparse", "socket", "folder", "loop", "broken link", "empty"]))
    good = folder / ("good" + str(rng.choice([".png", ".PNG", ".apng"])))
    good.write_bytes(png(np.full((9, 9), 7), 0, 8))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 40_000_000_000)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(folder)
    elif kind == "broken link":
        path.symlink_to(folder / "nothing")
    else:
        path.touch()
    return Case(f"{kind} {path.name}", lambda: _beside(path, good))


def _beside(path: Path, good: Path) -> str:
    """A picture has to be found and read beside something odd, which is refused by itself."""
    found = list_pictures([str(path.parent)])
    if not any(url.endswith(good.name) for url in found) or (path.is_dir() and len(found) > 1):
        raise UnacceptableError(f"pictures found: {found}")
    if (read_single(str(good), "style").pixels != 7).any():
        raise UnacceptableError("wrong pixels")
    return answer(lambda: read_single(str(path), "style")) if path.is_dir() else _refused(path)


def _refused(path: Path) -> str:
    shown = _read(path)
    if shown is not None:
        raise UnacceptableError(f"it was read, as {shown.shape}")
    return "refused"


def _read(path: Path) -> ndarray | None:
    """The pixels of a picture, None where it was refused."""
    shown: list[ndarray] = []
    answer(lambda: shown.append(fetch_pixels(str(path), SourceConfig(), MAX_BYTES)[1]))
    return shown[0] if shown else None


def _refusal(path: Path) -> str:
    try:
        read_picture(str(path), SourceConfig(), min_side_px=1, name="style")
    except ValueError as error:
        return str(error)
    return "not at all"


def _require_alike(shown: ndarray, other: ndarray | None, tolerance: int, what: str) -> None:
    if other is None:
        return
    if shown.shape != other.shape:
        raise UnacceptableError(f"{shown.shape} instead of {other.shape} in {what}")
    difference = np.abs(shown.astype(int) - other).max()
    if difference > tolerance:
        raise UnacceptableError(f"off by {difference} levels from {what}")


PICTURE = Kind(picture_case, num_tested=300)
