import logging
import os
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from magic.pixels import LUMA
from pipelines.pictures import sources
from pipelines.pictures.decoding import decode
from pipelines.pictures.reading import read_source
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.sources import survey
from pipelines.pictures.tone import Tone, match_tone, pooled, tone_of
from tests.conftest import textured


def test_bad_pictures_are_named_counted_and_skipped(ray_here, pictures, tmp_path, caplog):
    good = (pictures / "style" / "0.png").read_bytes()
    files = {"good.png": good, "cut.png": good[:-300], "text.jpg": b"no picture", "notes.txt": b"not even called one"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    Image.new("RGB", (10, 500)).save(tmp_path / "thin.png")
    with caplog.at_level(logging.WARNING):
        source = survey(SourceConfig(urls=(str(tmp_path),)), min_side_px=64, name="style")
    assert [p.url.rsplit("/", 1)[1] for p in source.pictures] == ["good.png"]
    assert sorted(skipped.url.rsplit("/", 1)[1] for skipped in source.skipped) == ["cut.png", "text.jpg", "thin.png"]
    assert "too small: 10x500, needs 64" in caplog.text
    assert "3 of 4 pictures skipped" in caplog.text
    assert np.array_equal(source.get(0), decode(good))


def test_nothing_left_is_an_error(ray_here, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a usable content picture among 1.*a\.png"):
        survey(SourceConfig(urls=(str(tmp_path),)), min_side_px=8, name="content")


def test_digests_follow_the_pixels(ray_here, pictures):
    urls = (str(pictures / "style"),)
    first = survey(SourceConfig(urls=urls), min_side_px=8, name="style")
    assert first.digest == survey(SourceConfig(urls=urls), min_side_px=8, name="style").digest
    assert first.digest != survey(SourceConfig(urls=urls, scale=0.5), min_side_px=8, name="style").digest
    assert first.digest != survey(SourceConfig(urls=(f"{urls[0]}/0.png",)), min_side_px=8, name="style").digest


def test_what_there_is_no_room_for_is_decoded_when_needed(ray_here, pictures):
    urls = (str(pictures / "style"),)
    held = survey(SourceConfig(urls=urls), min_side_px=8, name="style")
    fetched = survey(SourceConfig(urls=urls, hold_megabytes=0), min_side_px=8, name="style")
    assert all(ref is None for ref in fetched.references)
    for number in range(3):
        assert np.array_equal(held.get(number), fetched.get(number))


def test_a_content_source_takes_the_tone_of_a_style(ray_here, pictures):
    content, style = (
        survey(SourceConfig(urls=(str(pictures / name),)), min_side_px=8, name=name) for name in ("content", "style")
    )
    everything = np.concatenate([(style.get(number) @ np.array(LUMA)).ravel() for number in range(3)])
    assert style.tone.mean == pytest.approx(everything.mean(), rel=1e-4)
    assert 0.1 * everything.std() < style.tone.deviation < 0.9 * everything.std()
    dark = Tone(110.0, 5.0)
    assert tone_of(content.in_tone(dark).get(0)) == pytest.approx(dark, abs=1.0)
    assert content.in_tone(dark).identity().tone == dark
    flat = np.full((4, 4, 3), 200, np.uint8)
    assert (match_tone(flat, tone_of(flat), dark) == 110).all()


def test_the_spread_of_a_tone_is_that_of_cells():
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 100
    checks = np.zeros((64, 64, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 100
    assert tone_of(halves) == pytest.approx((50, 50))
    assert tone_of(checks) == pytest.approx((50, 0), abs=1e-4)
    assert pooled([(10, Tone(0, 0)), (10, Tone(100, 0))]) == pytest.approx((50, 50))


def test_memory_urls_are_held(ray_here, pictures):
    with fsspec.open("memory://pool/a.png", "wb") as file:
        file.write((pictures / "style" / "1.png").read_bytes())
    source = survey(SourceConfig(urls=("memory://pool",)), min_side_px=8, name="style")
    assert np.array_equal(source.get(0), decode((pictures / "style" / "1.png").read_bytes()))
    with pytest.raises(ValueError, match="room to hold all memory"):
        survey(SourceConfig(urls=("memory://pool",), hold_megabytes=0), min_side_px=8, name="style")


def test_s3_urls_are_read_by_other_processes(ray_here, s3):
    rng = np.random.default_rng(0)
    pixels = textured(rng, 40, 50)
    with fsspec.open(f"{s3}/style/x.png", "wb") as file:
        Image.fromarray(pixels).save(file, "PNG")
    source = survey(SourceConfig(urls=(f"{s3}/style",)), min_side_px=8, name="style")
    assert np.array_equal(source.get(0), pixels)
    with pytest.raises(ValueError, match="pictures at"):
        survey(SourceConfig(urls=(f"{s3}/nothing",)), min_side_px=8, name="style")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in repr((source.identity(), source.pictures))


def test_squares_are_scaled_and_trimmed_evenly(ray_here, tmp_path):
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 200  # the middle square
    Image.fromarray(wide).save(tmp_path / "wide.png")
    config = SourceConfig(urls=(str(tmp_path),), square_px=20)
    source = survey(config, min_side_px=20, name="style")
    assert source.sizes == [(20, 20)]
    assert (source.get(0)[:, 1:-1] > 190).all()
    assert np.array_equal(source.get(0), read_source(config, min_side_px=20, name="style").get(0))
    with pytest.raises(ValueError, match=r"square_px in 1\.\.16384 and no scale"):
        SourceConfig(square_px=20, scale=0.5)


def test_sources_have_shares(ray_here, pictures):
    urls = (str(pictures / "style"), str(pictures / "content"))
    config = SourceConfig(urls=urls, shares=(3.0, 1.0))
    source = survey(config, min_side_px=8, name="style")
    shares = {picture.url.rsplit("/", 1)[1]: picture.share for picture in source.pictures}
    assert shares == {"portrait.png": 1.0, "0.png": 1.0, "1.png": 1.0, "2.png": 1.0}
    assert source.shares == read_source(config, min_side_px=8, name="style").shares
    assert source.digest != survey(SourceConfig(urls=urls, shares=(1.0, 1.0)), min_side_px=8, name="style").digest
    with pytest.raises(ValueError, match="a share above 0 for each of the 2 urls"):
        SourceConfig(urls=urls, shares=(1.0,))


def test_without_a_cluster_bad_pictures_are_errors(pictures, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"expected a style picture at .*a\.png, got: no picture"):
        read_source(SourceConfig(urls=(str(tmp_path),)), min_side_px=8, name="style")
    with pytest.raises(ValueError, match="at least 500 pixels on each side"):
        read_source(SourceConfig(urls=(str(pictures / "style"),)), min_side_px=500, name="style")


def test_readers_side_by_side_share_the_smallest_machine(monkeypatch):
    """A machine that is gone, or that has no CPUs, counts for nothing."""

    def node(cpus: float, memory: float, *, is_alive: bool = True) -> dict:
        return {"Resources": {"CPU": cpus, "memory": memory} if cpus else {"memory": memory}, "Alive": is_alive}

    nodes = [node(16, 64e9), node(4, 1e9), node(8, 1e6, is_alive=False), node(0, 1e6)]
    monkeypatch.setattr(sources.ray, "nodes", lambda: nodes)
    assert sources.share_of_reader() == int(sources.USABLE_SHARE * 1e9 / 4)


def test_a_picture_that_a_reader_has_no_room_for_is_skipped_by_name(ray_here, tmp_path, monkeypatch):
    Image.new("RGB", (2000, 2000)).save(tmp_path / "large.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    monkeypatch.setattr(sources, "share_of_reader", lambda: 10_000_000)
    found = survey(SourceConfig(urls=(str(tmp_path),)), min_side_px=1, name="style")
    assert [Path(each.url).name for each in found.pictures] == ["small.png"]
    assert [Path(each.url).name for each in found.skipped] == ["large.png"]
    assert "MB of memory" in found.skipped[0].reason
