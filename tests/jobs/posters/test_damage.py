"""Damaged files of a finished poster: found by every command, and made anew, and nothing else with them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import cli
from jobs.posters.poster import poster
from tests.jobs.posters.small_poster import contents, refined_poster

SHARD = "tiles.zarr/output/0/c/0/1/2"
FILES = [
    SHARD,
    "tiles.zarr/output/0/c/0/0/0",
    "tiles.zarr/labels/0/c/0/2/1",
    "tiles.zarr/collage/0/c/0/2/4",
    "tiles.zarr/collage/1/c/0/0/0",
    "tiles.zarr/labels/1/zarr.json",
    "tiles.zarr/zarr.json",
    "statistics/mixing-01.safetensors",
    "statistics/refiner-00.safetensors",
    "files.json",
    "job.json",
    "manifest.json",
]
"""One of each kind that a poster consists of."""


@pytest.fixture(scope="module")
def made(ray_here, pictures, tmp_path_factory):
    """A poster of a refined model, with a pyramid, and another one of the same size."""
    folder = tmp_path_factory.mktemp("damage")
    settings = refined_poster(pictures, folder, width=500, tile=128, formats=("png",), workers=2)
    poster(settings)
    poster(replace(settings, out=str(folder / "other"), seed=1))
    return settings


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the poster that a test may damage."""
    shutil.copytree(made.out, tmp_path / "poster")
    return replace(made, out=str(tmp_path / "poster"), workers=1)


def flip(path: Path, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def lose(path: Path, other: Path) -> None:
    path.unlink()


def swap(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def exported(out: str, capsys) -> tuple[int, str]:
    code = cli.main(["export", out, f"{out}.png"])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("damage", [flip, cut, empty, lose, swap], ids=lambda damage: damage.__name__)
def test_a_damaged_tile_is_found_and_no_other_is_painted_anew(made, copy, damage, capsys):
    damage(Path(copy.out, SHARD), Path(f"{made.out}/../other", SHARD))
    code, error = exported(copy.out, capsys)
    assert code == 2
    assert f"expected the tile of the layer output in row 1 and column 2 ({SHARD}) in {copy.out} as it was" in error
    assert "run the `magic poster` command that made it again" in error
    assert error.count("\n") == 1
    assert not Path(f"{copy.out}.png").exists()
    assert cli.main(["verify", copy.out]) == 2
    assert "the tile of the layer output in row 1 and column 2" in capsys.readouterr().err
    before = {path: path.stat().st_mtime_ns for path in Path(copy.out, "tiles.zarr").rglob("*") if path.is_file()}
    poster(copy)
    written = {path for path in before if path.stat().st_mtime_ns != before[path]}
    assert written <= {Path(copy.out, SHARD)}
    assert contents(copy.out) == contents(made.out)
    assert exported(copy.out, capsys)[0] == 0


@pytest.mark.parametrize("file", FILES)
def test_a_damage_of_any_file_is_found_and_mended(made, copy, file, capsys, caplog):
    path = Path(copy.out, file)
    for damage in (flip, lose):
        damage(path, path)
        assert exported(copy.out, capsys)[0] == 2
        assert cli.main(["verify", copy.out]) == 2
        assert file in capsys.readouterr().err
        caplog.clear()
        poster(copy)
        assert file in caplog.text
        assert contents(copy.out) == contents(made.out)


@pytest.mark.parametrize(
    ("file", "message"),
    [("generator.safetensors", r"differs in model\.digest"), ("generator.json", r"in generator\.json")],
)
def test_a_damaged_model_does_not_go_on_in_the_poster_s_folder(copy, tmp_path, file, message):
    before = contents(copy.out)
    shutil.copytree(Path(copy.model), tmp_path / "model")
    data = bytearray((tmp_path / "model" / file).read_bytes())
    data[-4] ^= 1
    (tmp_path / "model" / file).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        poster(replace(copy, model=str(tmp_path / "model")))
    assert contents(copy.out) == before
