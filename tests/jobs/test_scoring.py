"""Measures by command: of single pictures, and of posters, which know what they were made from."""

import json

import numpy as np
import pytest
from PIL import Image

from jobs import cli
from magic.geometry import Box
from magic.measures.pieces import cuts
from magic.scene.content import Content


def test_pictures_are_measured_against_style_and_content(pictures, tmp_path, capsys):
    style, portrait = pictures / "style", pictures / "content" / "portrait.png"
    Image.open(portrait).resize((262, 300)).save(tmp_path / "large.png")
    args = ["score", portrait, tmp_path / "large.png", "--style.urls", style, "--content", portrait, "--tile", "50"]
    assert cli.main([*map(str, args), "--json", f"{tmp_path}/scores.json"]) == 0
    shown = capsys.readouterr().out
    assert "| style_distance |" in shown
    measured = json.loads((tmp_path / "scores.json").read_text())
    assert measured[str(portrait)]["content_correlation_8px"] == pytest.approx(1.0)
    assert measured[str(tmp_path / "large.png")]["content_correlation_32px"] > 0.95
    assert measured[str(portrait)]["seam_ratio"] > 0


def test_a_poster_knows_its_styles_its_content_and_its_tiles(make_poster, tmp_path):
    """A store that holds the very content as it was painted, and one in which every other tile is brighter."""
    poster = make_poster(300, 400)
    canvas, grid = poster.store.canvas, poster.store.grid
    content = Content(poster._content, 300, 400).window(
        canvas.box.shifted(-canvas.padding_before, -canvas.padding_before)
    )
    shown = {}
    for name, step in (("plain", 0), ("seams", 40)):
        for number, tile in enumerate(grid):
            is_odd = sum(divmod(number, grid.columns)) % 2
            part = content[tile.core.slices].transpose(2, 0, 1) // 2 + step * is_odd
            poster.store.write("output", tile.core, part.astype(np.uint8))
        assert cli.main(["score", poster.url, "--json", str(tmp_path / "scores.json")]) == 0
        shown[name] = next(iter(json.loads((tmp_path / "scores.json").read_text()).values()))
    assert shown["plain"]["content_correlation_8px"] > 0.999
    assert shown["plain"]["style_distance"] > 0
    labels = poster.store.read("labels", Box(0, 0, 300, 400))[0]
    assert shown["plain"] | cuts(labels) == shown["plain"]
    assert shown["plain"]["segments"] > 20
    assert shown["seams"]["seam_ratio"] > 1.3 * shown["plain"]["seam_ratio"]


def test_a_folder_with_a_manifest_of_something_else_is_a_folder_of_pictures(pictures, tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    Image.open(pictures / "content" / "portrait.png").save(tmp_path / "a.png")
    args = ["score", str(tmp_path), "--style.urls", str(pictures / "style")]
    assert cli.main(args) == 0


def test_no_style_is_an_error(pictures, capsys):
    assert cli.main(["score", str(pictures / "content")]) == 2
    assert "give --style.urls" in capsys.readouterr().err
    args = ["score", str(pictures / "content"), "--style.urls", str(pictures / "style"), "--content"]
    assert cli.main([*args, str(pictures / "style")]) == 2
    assert "expected one content picture, got '3 at" in capsys.readouterr().err
