import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from magic.geometry import Canvas, Halo, TileGrid
from pipelines.export.formats import FORMATS, ExportOptions, format_of
from pipelines.export.png import srgb_profile
from pipelines.export.request import ExportRequest
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import TilingRecord
from pipelines.posters.poster_store import PosterStore
from pipelines.posters.pyramid import write_block
from pipelines.storage.door import read_object, size_bytes
from pipelines.workers.functions import carry_out

SIZES = [(700, 1100), (1031, 523)]


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def poster(request, make_poster):
    return make_poster(*request.param)


def by_libvips(path, **options):
    return pyvips.Image.new_from_file(str(path), fail_on="warning", revalidate=True, **options)


def export(poster, path, layer="output", **options):
    request = ExportRequest(poster=poster, url=str(path), layer=layer, options=ExportOptions(**options))
    assert carry_out(request.write(), 1) == str(path)
    assert path.stat().st_size <= request.expected_bytes
    assert [path] == list(path.parent.iterdir())  # nothing unfinished stays
    return path


@pytest.mark.parametrize("layer", ["output", "collage", "labels", "content"])
def test_a_png_holds_every_pixel(poster, layer, tmp_path):
    path = export(poster, tmp_path / "poster.png", layer)
    expected = poster.whole(layer)
    assert np.array_equal(np.asarray(Image.open(path)), expected)
    assert np.array_equal(by_libvips(path).numpy(), expected)


def test_a_tiff_holds_every_pixel_of_every_level(poster, tmp_path):
    path = export(poster, tmp_path / "poster.tif")
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert len(file.pages) == 1
        levels = file.series[0].levels
        assert len(levels) == poster.store.num_levels > 1
        for number, level in enumerate(levels):
            assert np.array_equal(level.asarray(), poster.whole("output", number))
        assert levels[0].keyframe.tile == (512, 512)
    for number in range(poster.store.num_levels):
        shown = by_libvips(path, subifd=number - 1)  # -1 is the page itself
        assert np.array_equal(shown.numpy(), poster.whole("output", number))


def test_a_tiff_of_jpeg_tiles_is_close_at_every_level(poster, tmp_path):
    path = export(poster, tmp_path / "usual" / "poster.tiff", tiff_compression="jpeg")
    for number in range(poster.store.num_levels):
        for shown in (by_libvips(path, subifd=number - 1).numpy(), tifffile.imread(path, series=0, level=number)):
            assert_close(shown, poster.whole("output", number))
    small = export(poster, tmp_path / "small" / "poster.tif", tiff_compression="jpeg", quality=30)
    assert small.stat().st_size < path.stat().st_size / 2


def test_a_jpeg_is_close_and_its_quality_matters(poster, tmp_path):
    path = export(poster, tmp_path / "a" / "poster.jpg")
    assert_close(np.asarray(Image.open(path)), poster.whole("output"))
    assert_close(by_libvips(path).numpy(), poster.whole("output"))
    assert Image.open(path).layer == [(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)]  # 4:4:4
    small = export(poster, tmp_path / "b" / "poster.JPEG", quality=30)
    assert small.stat().st_size < path.stat().st_size / 2


def assert_close(shown, expected):
    error = shown.astype(int) - expected
    assert shown.shape == expected.shape
    assert np.sqrt((error**2).mean()) < 8
    assert abs(error.mean()) < 0.2


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_files_tell_resolution_and_colours_and_are_the_same_each_time(poster, ending, tmp_path):
    first, again = (export(poster, tmp_path / name / f"poster.{ending}") for name in "ab")
    assert first.read_bytes() == again.read_bytes()
    width_cm = 10.0
    sized = export(poster, tmp_path / "c" / f"poster.{ending}", width_cm=width_cm)
    for path, dpi in ((first, 300), (sized, poster.store.size()[1] / (width_cm / 2.54))):
        with Image.open(path) as image:
            assert image.info["icc_profile"] == srgb_profile()
            assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.6 if ending == "jpg" else 0.02)
            assert not set(image.getexif()) & {305, 306}  # software, time
        shown = by_libvips(path)
        assert shown.get("icc-profile-data") == srgb_profile()
        assert shown.xres * 25.4 == pytest.approx(dpi, abs=0.6)
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile())))
    assert "sRGB" in name


def test_a_poster_of_one_pixel(make_poster, tmp_path):
    poster = make_poster(1, 1)
    for ending in ("png", "tif"):
        path = export(poster, tmp_path / ending / f"poster.{ending}")
        assert np.array_equal(by_libvips(path).numpy(), poster.whole("output"))


def test_files_on_object_storage_are_the_same(poster, s3, tmp_path):
    for ending in ("png", "jpg", "tif"):
        local = export(poster, tmp_path / ending / f"poster.{ending}")
        url = carry_out(ExportRequest(poster=poster, url=f"{s3}/prints/poster.{ending}").write(), 1)
        assert read_object(url) == local.read_bytes()
        assert size_bytes(url) == local.stat().st_size


@pytest.mark.parametrize("ending", ["gif", "", "webp"])
def test_unknown_endings_are_refused(ending):
    with pytest.raises(ValueError, match=r"expected a file ending in \.png, .*choose one of them"):
        format_of(f"s3://bucket.png/poster.{ending}")


def test_sizes_that_a_format_cannot_hold_are_refused():
    format_of("a.jpg").check_size("a.jpg", 65_500, 10)
    for size in ((65_501, 10), (10, 65_501)):
        with pytest.raises(ValueError, match=r"at most 65500 pixels on a side for JPEG \(a\.jpg\), got .*take \.tif"):
            format_of("a.jpg").check_size("a.jpg", *size)
        for url, name in {"s3://bucket/a.PNG": "png", "a.tiff": "tiff", "s3://bucket/web/": "viewer"}.items():
            assert format_of(url) is FORMATS[name]
            FORMATS[name].check_size(url, *size)
    with pytest.raises(ValueError, match="at most 2147483647 pixels on a side for PNG"):
        format_of("a.png").check_size("a.png", 2**31, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 0}, "quality of 1 to 100, got 0"),
        ({"quality": 101}, "quality of 1 to 100, got 101"),
        ({"dpi": 0}, "1 to 65535 dpi, got 0"),
        ({"width_cm": -1}, "above 0 cm, got -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ExportOptions(**options)


def test_what_cannot_be_exported_is_refused_before_anything_is_written(poster, tmp_path):
    cases = [
        ("x.png", "weights", {}, "a layer of output, collage, labels, content, got 'weights'"),
        ("x.bmp", "output", {}, "file ending in"),
        ("x.png", "output", {"width_cm": 1e6}, "width on paper that makes 1 to 65535 dpi of"),
    ]
    for name, layer, options, message in cases:
        url, how = f"{tmp_path}/new/{name}", ExportOptions(**options)
        with pytest.raises(ValueError, match=message):
            carry_out(ExportRequest(poster=poster, url=url, layer=layer, options=how).write(), 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_failed_export_leaves_the_old_file(make_poster, ending, tmp_path):
    poster = make_poster(700, 1100)
    target = tmp_path / f"poster.{ending}"
    target.write_bytes(b"the old one")
    shard = Path(poster.url, "tiles.zarr/output/0/c/0/4/2")
    shard.write_bytes(bytes(len(shard.read_bytes())))
    with pytest.raises(ValueError, match="the tile of the layer output in row 4 and column 2 "):
        carry_out(ExportRequest(poster=poster, url=str(target)).write(), 1)
    assert target.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_place_that_cannot_be_written_is_refused(poster, ending, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"expected a new or a regular file to write, got .*/file is a file"):
        carry_out(ExportRequest(poster=poster, url=f"{tmp_path}/file/poster.{ending}").write(), 1)


@pytest.fixture(scope="module")
def plain_posters(make_poster, tmp_path_factory):
    """A small poster and a large one, with one layer of noise in large shards."""

    def make(height: int, width: int) -> FinishedPoster:
        folder = str(tmp_path_factory.mktemp("plain"))
        canvas = Canvas.around(height, width, halo=Halo(8, 8), multiple=8)
        grid = TileGrid(height=canvas.height, width=canvas.width, core_px=1024, halo=Halo(0, 0), multiple=8)
        store = PosterStore(folder, grid, canvas)
        store.create(("output",))
        noise = np.random.default_rng(0).integers(0, 8, (3, 1024, 1024), dtype=np.uint8)
        for tile in grid:
            store.write("output", tile.core, noise[:, : tile.core.height, : tile.core.width])
        for level in range(1, store.num_levels):
            for number in range(len(store.blocks(level))):
                write_block(store, "output", level, number)
        some = make_poster(64, 64).manifest
        plan = TilingRecord(tile=1024, keep=False)
        identity = replace(some.identity, content=None, templates=(), plan=plan, size=(width, height))
        FinishedPoster(folder, replace(some, identity=identity, canvas=canvas)).record()
        return FinishedPoster.at(folder)

    return make(6000, 1000), make(65000, 1000)


EXPORT = """
import re, sys
from pathlib import Path
from pipelines.export.request import ExportRequest
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.workers.functions import carry_out
folder, endings, *posters = sys.argv[1:]
for poster in posters:
    for ending in endings.split():
        carry_out(ExportRequest(poster=FinishedPoster.at(poster), url=f"{folder}/poster.{ending}").write(), 1)
    if sys.platform == "linux":
        print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_area(plain_posters, tmp_path):
    small, large = plain_posters
    command = [sys.executable, "-c", EXPORT, str(tmp_path), "png jpg tif", small.url, large.url]
    few_arenas = {
        **os.environ,
        "MALLOC_ARENA_MAX": "2",
    }  # else glibc keeps some for each of zarr's threads, as they come
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=few_arenas).stdout
    peaks_kib = [int(line) for line in printed.split()]
    print(f"peak resident memory in KiB: {peaks_kib}")
    added_bytes = 3 * (65000 - 6000) * 1000
    assert (peaks_kib[1] - peaks_kib[0]) * 1024 < added_bytes / 4
    assert by_libvips(tmp_path / "poster.png").height == 65000


@pytest.mark.parametrize("ending", ["jpg", "tif"])  # in libvips' thread, and in this one
def test_a_stopped_export_leaves_nothing(plain_posters, ending, tmp_path):
    command = [sys.executable, "-c", EXPORT, str(tmp_path), ending, plain_posters[1].url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("*.partial")):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=20)[1]
    assert not list(tmp_path.iterdir())


SWALLOW = """
import contextlib, signal, sys
class Import:
    def find_spec(self, name, path=None, target=None):
        if name == "imagecodecs._deflate":
            with contextlib.suppress(BaseException):
                signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Import())
"""


def test_a_ctrl_c_that_the_import_of_a_codec_swallows_stops_the_export_all_the_same(plain_posters, tmp_path):
    """It is imported at the first tile, and like every module of Cython's ends in a bare `except`."""
    command = [sys.executable, "-c", SWALLOW + EXPORT, str(tmp_path), "tif", plain_posters[0].url]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stderr.strip().endswith("KeyboardInterrupt")
    assert not list(tmp_path.iterdir())
