"""Measures by command: of single pictures, and of posters, which know what they were made from."""

import json

import pytest
from PIL import Image

from jobs import cli


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


def test_a_poster_knows_its_styles_and_content(pictures, tmp_path, capsys):
    portrait = pictures / "content" / "portrait.png"
    (tmp_path / "poster.png").write_bytes(portrait.read_bytes())
    style = {"urls": [str(pictures / "style")], "scale": 1.0, "square_px": None}
    manifest = {"style": style, "content": {"url": str(portrait)}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert cli.main(["score", str(tmp_path)]) == 0
    assert "| content_correlation_16px | 1 |" in capsys.readouterr().out


def test_no_style_is_an_error(pictures, capsys):
    assert cli.main(["score", str(pictures / "content")]) == 2
    assert "give --style.urls" in capsys.readouterr().err
