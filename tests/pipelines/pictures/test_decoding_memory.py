"""Decoding takes no more memory than was promised for its format, and small files cannot make it take more."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipelines.pictures.decoding import decode
from pipelines.pictures.formats import known
from pipelines.pictures.tone import tone_of
from tests.conftest import textured
from tests.hostile.files.png_files import chunk, exif_chunk, png
from tests.hostile.trial import peak_bytes, reset_peak, rss_bytes

ROOT = Path(__file__).parent.parent.parent.parent
HEIGHT, WIDTH = 2000, 3000
BESIDE_BYTES = 60_000_000
"""For the bands in which colours are converted."""


def large(mode: str) -> Image.Image:
    return Image.effect_noise((WIDTH, HEIGHT), 30).convert("L" if mode == "I;16" else mode)


def saved(path: Path, kind: str) -> None:
    """A large picture of the sort that takes most memory in its format."""
    turned = Image.Exif()
    turned[0x0112] = 6
    if kind == "TIFF":
        values = np.zeros((HEIGHT, WIDTH, 4), np.uint16)
        options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "extratags": [(274, 3, 1, 6, True)]}
        tifffile.imwrite(path, values, compression="zlib", rowsperstrip=HEIGHT, metadata=None, **options)
    elif kind == "JPEG":
        large("CMYK").save(path, kind, progressive=True, subsampling=0, exif=turned)
    elif kind == "WEBP":
        large("RGBA").save(path, kind, method=0, save_all=True, append_images=[large("RGBA").rotate(180)])
    elif kind == "AVIF":
        large("RGBA").save(path, kind, subsampling="4:4:4", speed=10)
    elif kind == "GIF":
        large("L").save(path, kind, transparency=7)
    else:
        large("RGBA").save(path, kind, **({"compress_level": 1, "exif": turned} if kind == "PNG" else {}))


def samples_of_16_bits(path: Path, colour_type: int, num_channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (HEIGHT, WIDTH, num_channels), np.uint16)
    path.write_bytes(png(values, colour_type, 16, chunks=exif_chunk(6)))


@pytest.mark.parametrize("kind", known.FORMATS, ids=lambda kind: kind.name)
def test_decoding_takes_what_its_format_promises(kind, tmp_path):
    saved(tmp_path / "large", kind.name)
    require_promised(kind, tmp_path)


@pytest.mark.parametrize(("colour_type", "num_channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits_takes_no_more(colour_type, num_channels, tmp_path):
    samples_of_16_bits(tmp_path / "large", colour_type, num_channels)
    require_promised(known.format_of((tmp_path / "large").read_bytes()), tmp_path)


def require_promised(kind: known.Format, tmp_path: Path) -> None:
    """Fail if the large picture takes more memory than its format promises."""
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    program = [sys.executable, "-m", "tests.pipelines.pictures.peak_memory", str(tmp_path / "large")]
    shown = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(shown.stdout) <= kind.decoding_bytes * HEIGHT * WIDTH + BESIDE_BYTES


def test_a_jpeg_of_very_many_scans_is_refused():
    file = io.BytesIO()
    Image.new("L", (800, 800)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data[:-2] + 50 * last + data[-2:]).shape == (800, 800, 3)
    with pytest.raises(ValueError, match="a JPEG of at most 100 scans, got 10"):
        decode(data[:-2] + 100 * last + data[-2:])


SIDE = 60_000
ENORMOUS_PNG = png(np.zeros((1, 1)), 0, 8)[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 16, 6, 0, 0, 0))
BOMBS = {
    "PNG": ENORMOUS_PNG + chunk(b"IDAT", zlib.compress(bytes(9_000_000))) + chunk(b"IEND", b""),
    "WebP": b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xff\xff\xff\x0f" + bytes(13),
    "animated WebP": b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + SIDE.to_bytes(3, "little") * 2,
    "GIF": b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0" + struct.pack("<HH", SIDE, SIDE) + b"\0\2;",
    "ICO": b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", len(ENORMOUS_PNG), 22) + ENORMOUS_PNG,
    "TIFF tile": None,
    "TIFF tags": None,
    "EXIF": None,
}


def bomb(name: str) -> bytes:
    if name == "TIFF tile":  # tiles of 30,000 x 30,000 in a picture of 8 x 8
        file = io.BytesIO()
        tifffile.imwrite(file, np.zeros((8, 8), np.uint8), tile=(16, 16), compression="zlib", metadata=None)
        data = bytearray(file.getvalue())
        for tag in (322, 323):
            place = data.index(struct.pack("<HHI", tag, 4, 1))
            struct.pack_into("<I", data, place + 8, 30_000 // 16 * 16)
        return bytes(data)
    if name == "TIFF tags":  # each of 60,000 tags holds the whole file
        entries = b"".join(struct.pack("<HHII", tag, 1, 720_000, 0) for tag in range(300, 60_300))
        return b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entries + bytes(4)
    if name == "EXIF":  # the same, in segments that are put together
        entries = b"".join(struct.pack("<HHII", tag, 1, 700_000, 0) for tag in range(300, 60_300))
        block = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entries + bytes(4)
        parts = [block[start : start + 65_000] for start in range(0, len(block), 65_000)]
        segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG")
        return b"\xff\xd8" + segments + file.getvalue()[2:]
    return BOMBS[name]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_take_memory(name):
    data = bomb(name)
    before = rss_bytes()
    reset_peak()
    with pytest.raises(ValueError, match=r"MB of memory|ICO, which is not read|tags are larger|bytes of EXIF"):
        decode(data, max_bytes=1_000_000_000)
    assert peak_bytes() - before < 50_000_000


def test_a_tone_takes_little_memory_beside_its_picture():
    picture = np.tile(textured(np.random.default_rng(0), 64, 64), (40, 40, 1))
    before = rss_bytes()
    reset_peak()
    tone = tone_of(picture)
    assert peak_bytes() - before < 0.5 * picture.nbytes
    assert tone == pytest.approx(tone_of(picture[:64, :64]), abs=0.01)
