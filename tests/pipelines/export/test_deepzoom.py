"""What the DeepZoom folder holds is the poster: at every level, in every layer, to the last pixel."""

import base64
import io
import json
import re
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from magic.geometry import Box
from pipelines.export.deepzoom import write_viewer
from pipelines.export.viewer_page import PAGE, TILE_PX
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.pyramid import halved
from pipelines.workers.functions import carry_out
from tests.pipelines.export.viewed import viewer, with_many_templates

HEIGHT, WIDTH = 1101, 743
QUALITY = 100  # the noise of these pictures is hard for JPEG; only rounding shall tell tiles from it
MANY = 300  # templates: more than a byte or a palette can number
LEVELS = 12  # 1 to 2048


@pytest.fixture(scope="module")
def poster(make_poster) -> FinishedPoster:
    return make_poster(HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def exported(poster, ray_here, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("deepzoom") / "out"
    assert carry_out(write_viewer(viewer(poster, str(folder), quality=QUALITY)), 2) == f"{folder}/{PAGE}"
    return folder


def expected(poster: FinishedPoster, layer: str, level: int) -> np.ndarray:
    """All of a layer at a pyramid level, made in another way than the export's below the store's last level."""
    last = poster.store.num_levels - 1
    if layer == "labels":
        numbers = poster.store.read("labels", Box(0, 0, *poster.store.size()))[0]
        return np.array(poster.colours, np.uint8)[numbers[:: 2**level, :: 2**level]]
    picture = poster.whole(layer, min(level, last))
    for _ in range(level - last):
        picture = halved(picture.transpose(2, 0, 1), has_means=True).transpose(1, 2, 0)
    return picture


def stitched(folder: Path, layer: str, level: int, size: tuple[int, int]) -> np.ndarray:
    """All tiles of a level, put together; fails unless they are just those that a DeepZoom viewer asks for."""
    whole = np.zeros((*size, 3), np.uint8)
    rows, columns = (-(-side // TILE_PX) for side in size)
    ending = "png" if layer == "labels" else "jpg"
    tiles = {path.name for path in (folder / f"{layer}_files" / str(level)).iterdir()}
    assert tiles == {f"{c}_{r}.{ending}" for c in range(columns) for r in range(rows)}
    for name in tiles:
        column, row = map(int, name.partition(".")[0].split("_"))
        part = whole[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
        tile = np.array(Image.open(folder / f"{layer}_files" / str(level) / name).convert("RGB"))
        assert tile.shape == part.shape
        part[:] = tile
    return whole


def knowledge(folder: Path) -> dict:
    text = (folder / "poster.js").read_text()
    return json.loads(re.fullmatch(r"const POSTER = (.*);\n", text)[1])


def numbers_at(folder: Path, key: str) -> bytes:
    """What the script of a square hands over."""
    name, packed = re.fullmatch(
        r'labelBlock\("(.*)","(.*)"\);\n', (folder / f"labels_data/{key}.js").read_text()
    ).groups()
    assert name == key
    return zlib.decompress(base64.b64decode(packed))


@pytest.mark.parametrize("layer", ["output", "collage", "labels", "content"])
def test_every_level_is_the_stores(exported, poster, layer):
    levels = {int(path.name) for path in (exported / f"{layer}_files").iterdir()}
    assert levels == set(range(LEVELS))
    for level in levels:
        pyramid_level = LEVELS - 1 - level
        picture = expected(poster, layer, pyramid_level)
        assert picture.shape[:2] == poster.store.size(pyramid_level)
        shown = stitched(exported, layer, level, picture.shape[:2])
        if layer == "labels":
            assert np.array_equal(shown, picture)
        else:
            error = np.abs(shown.astype(int) - picture)
            assert error.mean() < 1.5
            assert error.max() <= 6


@pytest.mark.parametrize(("layer", "ending"), [("output", "jpg"), ("labels", "png")])
def test_the_description_is_deepzooms(exported, layer, ending):
    text = (exported / f"{layer}.dzi").read_text()
    assert f'Format="{ending}" Overlap="0" TileSize="{TILE_PX}"' in text
    assert f'<Size Width="{WIDTH}" Height="{HEIGHT}"/>' in text


def test_the_numbers_are_those_of_every_pixel(exported, poster):
    labels = poster.store.read("labels", Box(0, 0, HEIGHT, WIDTH))[0]
    for row in range(3):
        for column in range(2):
            part = labels[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
            numbers = np.frombuffer(numbers_at(exported, f"{column}_{row}"), np.uint8)
            assert np.array_equal(numbers.reshape(part.shape), part)


def test_more_templates_than_a_byte_can_number(ray_here, make_poster, tmp_path):
    poster = with_many_templates(make_poster(40, 33), MANY)
    tile = poster.store.grid[0].core
    labels = np.random.default_rng(0).integers(0, MANY, (1, tile.height, tile.width)).astype(np.uint16)
    poster.store.write("labels", tile, labels)
    carry_out(write_viewer(viewer(poster, str(tmp_path / "out"), quality=90)), 1)
    numbers = np.frombuffer(numbers_at(tmp_path / "out", "0_0"), "<u2").reshape(40, 33)
    assert np.array_equal(numbers, poster.store.read("labels", Box(0, 0, 40, 33))[0])
    shown = np.array(Image.open(tmp_path / "out/labels_files/6/0_0.png"))
    assert np.array_equal(shown, np.array(poster.colours, np.uint8)[numbers])


def test_the_viewer_knows_the_poster(exported, poster):
    known = knowledge(exported)
    assert (known["width"], known["height"], known["layers"]) == (WIDTH, HEIGHT, list(poster.layers))
    for described, template, colour in zip(
        known["templates"], poster.manifest.identity.templates, poster.colours, strict=True
    ):
        assert described == asdict(template) | {"colour": list(colour)}
    for number, picture in known["pictures"].items():
        info = poster.manifest.pictures[int(number)]
        assert (picture["height"], picture["width"]) == (info.height, info.width)
        assert picture["name"] == f"{number}.png"  # and none of the folders above it
        thumb = np.array(Image.open(exported / picture["thumb"]), int)
        assert np.abs(thumb - poster.style_picture(int(number))).mean() < 12  # small pictures keep their size


def test_a_second_run_rewrites_nothing_and_a_third_what_is_missing(exported, poster):
    def times():
        return {path: path.stat().st_mtime_ns for path in exported.rglob("*") if path.is_file()}

    before = times()
    carry_out(write_viewer(viewer(poster, str(exported), quality=QUALITY)), 1)
    assert times() == before
    lost = [exported / name for name in ("output_files/11/1_2.jpg", "labels_data/0_0.js", PAGE)]
    for path in lost:
        path.unlink()
    carry_out(write_viewer(viewer(poster, str(exported), quality=QUALITY)), 1)
    after = times()
    assert after.keys() == before.keys()
    assert {path for path in after if "collage_files" in path.parts and after[path] != before[path]} == set()


def test_a_folder_belongs_to_one_poster_and_one_quality(exported, poster, tmp_path):
    with pytest.raises(ValueError, match="differs in quality"):
        carry_out(write_viewer(viewer(poster, str(exported), quality=80)), 1)
    identity = replace(poster.manifest.identity, seed=4)
    another = replace(poster, manifest=replace(poster.manifest, identity=identity))
    with pytest.raises(ValueError, match="differs in poster"):
        carry_out(write_viewer(viewer(another, str(exported), quality=QUALITY)), 1)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match="got other files"):
        carry_out(write_viewer(viewer(poster, str(tmp_path), quality=QUALITY)), 1)
    with pytest.raises(ValueError, match="a quality of 1 to 100"):
        carry_out(write_viewer(viewer(poster, str(tmp_path), quality=0)), 1)


def test_object_storage_holds_the_same_bytes(exported, poster, s3):
    carry_out(write_viewer(viewer(poster, f"{s3}/out", quality=QUALITY)), 1)
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    there = {name.partition("/out/")[2]: name for name in fs.find(f"{s3}/out")}
    local = {str(path.relative_to(exported)): path for path in exported.rglob("*") if path.is_file()}
    assert there.keys() == local.keys()
    for name, path in local.items():
        assert fs.cat_file(there[name]) == path.read_bytes(), name


def test_a_poster_of_one_pixel(ray_here, make_poster, tmp_path):
    carry_out(write_viewer(viewer(make_poster(1, 1), str(tmp_path / "out"), quality=90)), 1)
    assert [path.name for path in (tmp_path / "out/output_files").iterdir()] == ["0"]
    assert Image.open(io.BytesIO((tmp_path / "out/output_files/0/0_0.jpg").read_bytes())).size == (1, 1)
