"""A disk that fills up while a poster is painted or exported: one line says so, and nothing finished is lost."""

from pathlib import Path

import pytest

from jobs import cli
from tests.jobs.posters.small_poster import contents
from tests.servers.faults import fill, make_room, meanwhile, small_disk

DISK_BYTES = 80_000_000
WIDTH_PX = 1100
"""Of a poster with three pyramid levels."""


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def error_line(captured) -> str:
    """The one line that a command ended with."""
    lines = [line for line in captured.readouterr().err.splitlines() if line.startswith("magic: ")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", ["poster.png", "poster.tif", "poster.jpg", "viewer/"])
def test_an_export_ends_in_one_line_and_the_next_one_is_whole(large, disk, tmp_path, name, capsys):
    """What the new file was to replace is still there."""
    undisturbed = tmp_path / name
    assert cli.main(["export", large.url, f"{tmp_path}/{name}", "--workers", "1"]) == 0
    is_folder = name.endswith("/")
    if not is_folder:
        (disk / name).write_text("the old one")

    def begun() -> object:
        return list(disk.rglob("*.jpg")) if is_folder else list(disk.glob("*.partial"))

    with meanwhile(begun, lambda: fill(disk), every_s=0.001) as filled:
        assert cli.main(["export", large.url, f"{disk}/{name}", "--workers", "1"]) == 1
    assert filled
    assert "No space left on device" in error_line(capsys)
    if not is_folder:
        assert (disk / name).read_text() == "the old one"
        assert not list(disk.glob("*.partial"))
    make_room(disk)
    assert cli.main(["export", large.url, f"{disk}/{name}", "--workers", "1"]) == 0
    if is_folder:
        assert contents(f"{disk}/{name}") == contents(undisturbed)
    else:
        assert (disk / name).read_bytes() == undisturbed.read_bytes()


def paint(model: Path, pictures: Path, out: Path) -> int:
    args = ["poster", "--model", model, "--content", pictures / "content" / "portrait.png", "--out", out]
    args += ["--style", pictures / "style", "--width", WIDTH_PX, "--templates", 3, "--tile", 384, "--workers", 2]
    return cli.main([str(arg) for arg in args])


@pytest.fixture(scope="module")
def undisturbed(ray_here, model, pictures, tmp_path_factory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "poster"
    assert paint(model, pictures, out) == 0
    return contents(out)


@pytest.mark.parametrize("stage", ["tiles.zarr/collage/0/c/0/0/1", "tiles.zarr/output/0/c/0/1/1", "tiles.zarr/*/1/c"])
def test_a_poster_goes_on_when_there_is_room_again(undisturbed, model, pictures, disk, stage, capsys):
    """Filled while the collage, the output or the pyramid is written."""
    out = disk / "poster"
    with meanwhile(lambda: list(out.glob(stage)), lambda: fill(disk), every_s=0.001) as filled:
        assert paint(model, pictures, out) == 1
    assert filled
    error_line(capsys)
    before = contents(out)
    make_room(disk)
    assert paint(model, pictures, out) == 0
    after = contents(out)
    assert after == undisturbed
    kept = {name for name, digest in before.items() if after.get(name) == digest}
    assert {name for name in before if name.startswith("tiles.zarr") and "unrefined" not in name} <= kept
