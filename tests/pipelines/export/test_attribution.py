import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from magic.geometry import Box
from magic.scene.memory import Template
from pipelines.export.attribution import Attribution, above, attribute, count_block
from pipelines.export.attribution_files import PICTURES, TABLE, TEMPLATES, read_pictures, write
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import read_object
from pipelines.workers.functions import carry_out
from tests.conftest import stored
from tests.pipelines.export.viewed import changed

SIZES = [(700, 1100), (2099, 2401)]  # within one block, and over several


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def poster(request, make_poster):
    return make_poster(*request.param)


@pytest.fixture(scope="module")
def attribution(ray_here, poster):
    return carry_out(attribute(poster), 2)


def label_map(poster) -> np.ndarray:
    return stored(poster.store, "labels")[..., 0]


def test_every_pixel_counts_for_its_template_and_its_picture(poster, attribution):
    labels = label_map(poster)
    counts = np.bincount(labels.ravel(), minlength=5)
    assert [share.pixels for share in attribution.templates] == counts.tolist()
    assert [share.template for share in attribution.templates] == list(poster.manifest.identity.templates)
    for number, picture in enumerate(attribution.pictures):
        own = [k for k, template in enumerate(poster.manifest.identity.templates) if template.picture == number]
        assert (picture.pixels, picture.templates) == (counts[own].sum(), len(own))
        assert picture.share == picture.pixels / labels.size
        assert picture.url == poster.manifest.pictures[number].url
    for shares in (attribution.templates, attribution.pictures):
        assert sum(share.share for share in shares) == pytest.approx(1)


def test_a_template_is_shown_within_its_box_alone(poster, attribution):
    labels = label_map(poster)
    for share in attribution.templates:
        rows, columns = np.nonzero(labels == share.number)
        assert share.shown == Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def test_a_template_that_is_nowhere(ray_here, make_poster, tmp_path):
    poster = make_poster(100, 120)
    whole = poster.store.grid[0].core
    labels = np.zeros((1, whole.height, whole.width), np.uint16)
    labels[0, 50, 60] = 3
    for tile in poster.store.grid:
        poster.store.write("labels", tile.core, labels[:, : tile.core.height, : tile.core.width])
    _, boxes = count_block(poster, 0)
    padding = poster.store.canvas.padding_before
    assert boxes[3] == Box(50 - padding, 60 - padding, 51 - padding, 61 - padding)
    attribution = carry_out(attribute(poster), 1)
    assert [share.pixels for share in attribution.templates] == [100 * 120 - 1, 0, 0, 1, 0]
    assert [share.shown is None for share in attribution.templates] == [False, True, True, False, True]
    write(attribution, str(tmp_path))
    assert pq.read_table(tmp_path / TEMPLATES)["shown_top"].to_pylist() == [0, None, None, 50 - padding, None]
    assert "nowhere" in (tmp_path / TABLE).read_text()


def test_the_tables_say_it_all(poster, attribution, tmp_path):
    assert write(attribution, str(tmp_path)) == (TEMPLATES, PICTURES, TABLE)
    rows = pq.read_table(tmp_path / TEMPLATES).to_pylist()
    for row, share in zip(rows, attribution.templates, strict=True):
        info = poster.manifest.pictures[share.template.picture]
        assert (row["template"], row["picture"]) == (share.number, share.template.picture)
        assert (row["url"], row["sha256"]) == (info.url, info.sha256)
        assert (row["pixels"], row["share"]) == (share.pixels, share.share)
        crop = tuple(row[name] for name in ("picture", "crop_top", "crop_left", "flip", "turns"))
        assert Template(*crop) == share.template
        assert Box(*(row[f"shown_{side}"] for side in Box._fields)) == share.shown
    pictures = pq.read_table(tmp_path / PICTURES).to_pylist()
    assert [tuple(row.values()) for row in pictures] == [
        (p.number, p.url, p.sha256, p.templates, p.pixels, p.share) for p in attribution.pictures
    ]


def test_the_page_names_the_largest_picture_first(attribution, tmp_path):
    write(attribution, str(tmp_path))
    lines = (tmp_path / TABLE).read_text().splitlines()
    first = lines.index("| --- | --- | --- | --- | --- |") + 1
    listed = [line.split(" | ")[3] for line in lines[first : first + 3]]
    assert listed == [f"`{p.url}`" for p in sorted(attribution.pictures, key=lambda p: -p.pixels)]
    largest = attribution.largest_first[0]
    assert lines[first].startswith(f"| {largest.share:.2%} | {largest.pixels} |")
    assert sum(line.count("|") == 10 for line in lines) == 5 + 2  # a row for each template, below two of head


def test_bars_in_names_do_not_break_the_page(attribution, tmp_path):
    manifest_url = "s3://bucket/a|b.png"
    picture = type(attribution.pictures[0])(0, manifest_url, "0" * 64, 5, 1, 1.0)
    write(Attribution(attribution.templates[:1], (picture,) * 3), str(tmp_path))
    assert "a\\|b.png" in (tmp_path / TABLE).read_text()


def test_two_runs_give_the_same_bytes_on_any_storage(ray_here, poster, attribution, s3, tmp_path):
    write(attribution, str(tmp_path))
    for name in write(carry_out(attribute(FinishedPoster.at(poster.url)), 1), s3):
        assert read_object(f"{s3}/{name}") == (tmp_path / name).read_bytes()
    assert pq.read_table(io.BytesIO(read_object(f"{s3}/{TEMPLATES}"))).num_rows == 5


def test_pictures_above_a_share_are_named(attribution):
    pictures = attribution.largest_first
    assert above(pictures, 1.0) == []
    assert above(pictures, 0.0) == pictures
    assert above(pictures, pictures[1].share) == pictures[:1]


def test_what_was_written_is_read_again_once_it_is_all_there(attribution, tmp_path):
    assert read_pictures(str(tmp_path)) is None
    write(attribution, str(tmp_path))
    assert read_pictures(str(tmp_path)) == attribution.largest_first
    (tmp_path / TABLE).unlink()
    assert read_pictures(str(tmp_path)) is None


def test_places_of_a_model_that_moves_its_pieces_are_said_to_be_rough(ray_here, make_poster, attribution, tmp_path):
    poster = make_poster(100, 120)
    moving = changed(poster, warp="flow")
    write(carry_out(attribute(moving), 1), str(tmp_path))
    assert "moves its pieces" in (tmp_path / TABLE).read_text()
    write(attribution, str(tmp_path))
    assert "moves its pieces" not in (tmp_path / TABLE).read_text()


def test_a_poster_whose_label_map_is_lost_is_refused(make_poster):
    poster = make_poster(64, 64)
    poster.store.drop("labels")
    with pytest.raises(ValueError, match=r"expected the tile of the layer labels .*, got no such file; run the"):
        carry_out(attribute(poster), 1)
