"""Measures by command: of single pictures, and of posters, which know what they were made from."""

import json

import numpy as np
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


def test_a_poster_knows_its_styles_its_content_and_its_tiles(pictures, tmp_path):
    portrait = pictures / "content" / "portrait.png"
    (tmp_path / "poster.png").write_bytes(portrait.read_bytes())
    style = {"urls": ["gone"], "pictures": [{"url": str(path)} for path in (pictures / "style").iterdir()]}
    manifest = {
        "kind": "poster",
        "style": {**style, "scale": 1.0, "square_px": None},
        "content": {"url": str(portrait), "tone": "keep"},
        "size": [131, 150],
        "tile": 48,
        "bleed": 56,
    }
    # seams where such a poster's tiles meet: every 48 px from 56 px before its corner
    pixels = np.array(Image.open(portrait)).astype(int)
    for first in range(-56 % 48, 150, 96):
        pixels[first : first + 48] += 40
        pixels[:, first : first + 48] += 40
    shown = {}
    for name, picture in {"plain": np.array(Image.open(portrait)), "seams": pixels.clip(0, 255)}.items():
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "poster.png")
        for tone in ("keep", "match"):
            manifest["content"]["tone"] = tone
            (tmp_path / "manifest.json").write_text(json.dumps(manifest))
            assert cli.main(["score", str(tmp_path), "--json", str(tmp_path / "scores.json")]) == 0
            shown[name, tone] = next(iter(json.loads((tmp_path / "scores.json").read_text()).values()))
    assert shown["plain", "keep"]["content_ssim_8px"] == pytest.approx(1.0)
    assert shown["plain", "match"]["content_ssim_8px"] < 0.99  # it was not painted in the style's tone
    assert shown["seams", "keep"]["seam_ratio"] > 1.3 * shown["plain", "keep"]["seam_ratio"]


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
