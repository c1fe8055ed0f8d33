"""What is refused of a finished poster's folder, in one line that names the file and what is wrong with it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from jobs import cli
from magic.geometry import Box
from pipelines.posters.checking import drop_damaged, require_whole
from pipelines.posters.finished_poster import FinishedPoster

DESCRIPTION = "tiles.zarr/output/0/zarr.json"


@pytest.fixture
def poster(make_poster):
    return make_poster(150, 131)


def edited(poster, file: str, value, *keys) -> bytes:
    """A poster's JSON file with another value at some place."""
    fields = json.loads(Path(poster.url, file).read_bytes())
    at = fields
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("value", "keys", "message"),
    [
        (0, ("canvas", "poster_height"), r"got canvas: .*expected a poster of at least 1x1 pixel, got \(0, 131\)"),
        (1.5, ("canvas", "poster_height"), r"got canvas\.poster_height: .*valid integer"),
        (-3, ("canvas", "padding_before"), r"expected a padding of at least 0 px, got -3"),
        (2**40, ("canvas", "width"), r"expected a canvas of at most 2147483647 px"),
        (300, ("canvas", "poster_width"), r"expected a canvas with room for 150 x 300 px behind its padding"),
        (140, ("canvas", "poster_height"), r"expected a size of \(131, 140\), as the canvas has it, got \(131, 150\)"),
        ([131, 151], ("identity", "size"), r"expected a size of \(131, 150\), as the canvas has it"),
        (0, ("identity", "plan", "tile"), r"expected a tile size that is a positive multiple"),
        (2**31 - 8, ("canvas", "width"), r"expected at most 4194304 tiles"),
        (3, ("identity", "templates", 0, "picture"), r"expected templates of the 3 pictures, got \[3\]"),
        (9, ("identity", "top"), r"expected top in 0\.\.5, got 9"),
        ("twelve", ("identity", "seed"), r"got identity\.seed: "),
    ],
)
def test_a_manifest_that_contradicts_itself(poster, value, keys, message, capsys):
    poster.store.folder.replace("manifest.json", edited(poster, "manifest.json", value, *keys))
    with pytest.raises(ValueError, match=message) as refused:
        FinishedPoster.at(poster.url)
    assert f"{poster.url}/manifest.json" in str(refused.value)
    for command in (["verify", poster.url], ["export", poster.url, f"{poster.url}/a.png"]):
        assert cli.main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_an_edited_manifest_is_damaged(poster):
    Path(poster.url, "manifest.json").write_bytes(edited(poster, "manifest.json", 6, "identity", "seed"))
    with pytest.raises(
        ValueError, match=r"expected manifest\.json in .*, got a file that is damaged, or another's; run"
    ):
        FinishedPoster.at(poster.url)


@pytest.mark.parametrize(
    ("value", "keys", "message"),
    [
        ([3, 10, 10], ("shape",), "one of another shape or type than"),
        ("int8", ("data_type",), "one of another shape or type than"),
        ([3, 64, 64], ("codecs", 0, "configuration", "chunk_shape"), "what Zarr refuses"),
        (None, ("codecs",), "what Zarr refuses"),
        (3.5, ("storage_transformers",), "what Zarr refuses"),
    ],
)
def test_what_zarr_says_of_an_edited_description_is_one_line(poster, value, keys, message):
    poster.store.folder.replace(DESCRIPTION, edited(poster, DESCRIPTION, value, *keys))
    require_whole(poster.store)
    with pytest.raises(ValueError, match=rf"expected {DESCRIPTION} in .*, got {message}") as refused:
        poster.whole("output")
    assert "\n" not in str(refused.value)


def test_a_label_that_no_template_has(poster):
    box = poster.store.grid[0].core
    poster.store.write("labels", box, np.full((1, box.height, box.width), 5, np.uint16))
    with pytest.raises(ValueError, match=r"expected numbers of 5 templates in the layer labels of .*, got 5; paint it"):
        poster.rgb("labels", Box(0, 0, 20, 20))


def test_a_pipe_in_the_place_of_a_tile_is_no_file(poster):
    shard = Path(poster.url, "tiles.zarr/output/0/c/0/1/0")
    shard.unlink()
    os.mkfifo(shard)
    with pytest.raises(ValueError, match=r"tile of the layer output in row 1 and column 0 .*, got no such file"):
        require_whole(poster.store)


def test_a_tile_that_is_swapped_with_its_neighbour_is_found(poster):
    one, other = (Path(poster.url, f"tiles.zarr/output/0/c/0/0/{column}") for column in (0, 1))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    with pytest.raises(ValueError, match=r"row 0 and column 0 .* and 1 more such files; run"):
        require_whole(poster.store)
    with pytest.raises(ValueError, match="row 0 and column 0"):
        poster.whole("output")


def test_what_is_damaged_is_dropped_and_a_tile_that_is_on_its_way_is_not(poster):
    lost, damaged, late = (Path(poster.url, f"tiles.zarr/output/0/c/0/{place}") for place in ("0/0", "0/1", "1/0"))
    on_its_way = late.read_bytes()
    lost.unlink()
    late.unlink()
    damaged.write_bytes(b"")
    dropped = drop_damaged(poster.store)
    assert [each.partition(": ")[2] for each in dropped] == [
        "no such file",
        "a file that is damaged, or another's",
        "no such file",
    ]
    assert poster.store.done("output") == set(range(len(poster.store.grid))) - {0, 1, poster.store.grid.columns}
    late.write_bytes(on_its_way)  # by a process that recorded its digest before
    assert len(drop_damaged(poster.store)) == 1
    assert late.exists()


@pytest.mark.parametrize("url", ["reference://x/a.png", "zip://a.png::file:///etc/hostname", "s4://bucket/a.png"])
def test_an_address_in_a_manifest_is_read_like_one_that_is_typed(poster, url):
    poster.store.folder.replace("manifest.json", edited(poster, "manifest.json", url, "pictures", 0, "url"))
    with pytest.raises(ValueError, match="begins with one of file://"):
        FinishedPoster.at(poster.url).style_picture(0)


def test_a_tile_that_was_written_wrongly_is_one_line(poster):
    """Its digest is that of what was written."""
    shard = "tiles.zarr/output/0/c/0/1/0"
    data = bytearray(Path(poster.url, shard).read_bytes())
    for place in range(0, len(data), 97):
        data[place] ^= 0xFF
    poster.store.folder.replace(shard, bytes(data))
    with pytest.raises(ValueError, match="what Zarr refuses") as refused:
        poster.whole("output")
    assert "\n" not in str(refused.value)
