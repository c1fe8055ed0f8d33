"""A poster is one pass over the whole canvas, in every mode; what it is made of, and what is refused."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import jobs.posters.poster
from jobs import cli
from jobs.models.recipe import Recipe
from jobs.posters.poster import poster
from magic.geometry import Box
from magic.networks.packed import save_generator
from magic.pixels import to_uint8
from magic.scene.content import Content
from magic.scene.memory import Template
from magic.scene.reference import render_whole
from magic.scene.renderer import TileRenderer
from magic.scene.scene import Scene, plan_canvas
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.decoding import decode
from pipelines.pictures.reading import read_source
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.sources import survey
from pipelines.pictures.tone import match_tone, tone_of
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import read_object, write_object
from tests.conftest import memory_set, random_generator, ray_processes, stored
from tests.jobs.posters.small_poster import SEED, K, contents
from tests.servers.locked_pictures import LockedPictures

# MAGIC, its warps, and the systems it is compared with
SYSTEMS = [
    {},
    {"warp": "affine", "refine": "blend", "inducing_points": 2},
    {"warp": "flow"},
    {"system": "mosaic"},
    {"system": "famos", "memory_size": K},
]


@pytest.mark.parametrize("settings", SYSTEMS, ids=str)
def test_the_poster_is_one_pass_over_the_whole_canvas(ray_here, config, settings, pictures, tmp_path):
    generator = random_generator(3, **settings)
    save_generator(tmp_path / "model", generator)
    poster(config(model=str(tmp_path / "model"), sheet=True, workers=2))
    content = decode((pictures / "content" / "portrait.png").read_bytes())
    styles = [decode(path.read_bytes()) for path in sorted((pictures / "style").iterdir())]
    canvas = plan_canvas(generator, *content.shape[:2])
    # no recipe beside the model says otherwise: content is matched to the style
    tone = survey(SourceConfig(urls=(f"{pictures}/style",)), min_side_px=1, name="style").tone
    content = match_tone(content, tone_of(content), tone)
    scene = Scene(Content.of(content), memory_set(styles, K, SEED), canvas)
    whole = render_whole(TileRenderer(generator, scene, torch.device("cpu"))).part(canvas.poster)
    for name, image in {"poster": whole.output, "collage": whole.collage}.items():
        shown = np.array(Image.open(tmp_path / "poster" / f"{name}.png")).astype(int)
        expected = to_uint8(torch.from_numpy(image)).numpy().transpose(1, 2, 0)
        assert shown.shape == content.shape
        assert np.abs(shown - expected).max() <= 1  # where a value lies between two levels, rounding may differ
        assert (shown != expected).mean() < 0.001
    for name in ("labels", "sheet"):
        assert Image.open(tmp_path / "poster" / f"{name}.png").size[0] >= content.shape[1]
    finished = FinishedPoster.at(str(tmp_path / "poster"))
    assert (finished.store.read("labels", Box(0, 0, *content.shape[:2]))[0] != whole.labels).mean() < 0.001
    identity = finished.manifest.identity
    assert finished.manifest.measured_error.maximum <= 1
    assert (identity.system, identity.warp) == (generator.config.system, generator.config.warp)
    assert (tmp_path / "poster" / "attribution.md").exists() == (generator.config.system != "mosaic")
    assert identity.size == (131, 150)
    assert len(identity.templates) == K
    assert Image.open(tmp_path / "poster" / "poster.png").info["icc_profile"]


def test_a_fixed_memory_is_the_models_own(ray_here, config, pictures, tmp_path):
    """Whatever a FAMOS model was trained on lies where it lay; nothing else can be asked for."""
    save_generator(tmp_path / "model", random_generator(2, system="famos", memory_size=4))
    crops = {"num_templates": 4, "memory": "fixed", "seed": 9, "rotate": True}
    trained = survey(SourceConfig(urls=(f"{pictures}/style",)), min_side_px=1, name="style").summary()
    Recipe(crops=CropConfig(**crops, patch_px=8), style=trained).write(f"{tmp_path}/model/recipe.json")
    settings = config(model=str(tmp_path / "model"), templates=None, seed=0, style=())
    poster(settings)
    style = read_source(SourceConfig(urls=(f"{pictures}/style",)), min_side_px=1, name="style")
    expected = fixed_memory(style, CropConfig(**crops)).templates
    job = json.loads((tmp_path / "poster" / "job.json").read_text())
    assert [Template(**template) for template in job["templates"]] == list(expected)
    for change in ({"seed": 1}, {"templates": 3}, {"rotate": True}, {"style_scale": 0.5}):
        with pytest.raises(ValueError, match=rf"which is fixed, got \['{next(iter(change))}'\]"):
            poster(replace(settings, **change))


def test_kept_templates_stay_and_the_others_are_drawn_anew(ray_here, config, tmp_path):
    first = config(out=str(tmp_path / "first"))
    poster(first)
    second = config(seed=SEED + 1, keep_templates=(2, 0), keep_from=first.out, mirror=False, rotate=True)
    poster(second)
    earlier, later = (json.loads(Path(s.out, "job.json").read_text())["templates"] for s in (first, second))
    assert [a == b for a, b in zip(earlier, later, strict=True)] == [True, False, True]
    with pytest.raises(ValueError, match=r"templates to keep in 0\.\.2, got \[3\]"):
        poster(config(keep_templates=(3,), keep_from=first.out))
    with pytest.raises(ValueError, match="style pictures of the earlier poster"):
        poster(config(keep_templates=(0,), keep_from=first.out, style_scale=0.5))
    with pytest.raises(ValueError, match="a seed that draws other templates, got 5; give another --seed"):
        poster(config(keep_templates=(0,), keep_from=first.out))
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(ValueError, match="the folder of a finished poster"):
        poster(config(keep_templates=(0,), keep_from=str(tmp_path)))
    poster(config(out=str(tmp_path / "shares"), seed=9, keep_templates=(1,), keep_from=first.out, style_shares=(2.0,)))


def test_a_poster_without_a_content(ray_here, config, tmp_path, pictures):
    generator = random_generator(2, guided=False, warp="affine")
    save_generator(tmp_path / "model", generator)
    unguided = config(model=str(tmp_path / "model"), content=None, width=120, height=90, formats=("png",), sheet=True)
    poster(unguided)
    canvas = plan_canvas(generator, 90, 120)
    styles = [decode(path.read_bytes()) for path in sorted((pictures / "style").iterdir())]
    scene = Scene(None, memory_set(styles, K, SEED), canvas)
    whole = render_whole(TileRenderer(generator, scene, torch.device("cpu"))).part(canvas.poster)
    shown = FinishedPoster.at(unguided.out).whole("output")
    assert np.abs(shown - to_uint8(torch.from_numpy(whole.output)).numpy().transpose(1, 2, 0).astype(int)).max() <= 1
    with pytest.raises(ValueError, match="expected layers that the poster has, got 'content'"):
        poster(replace(unguided, also=("content",)))
    with pytest.raises(ValueError, match=r"expected no content, but --width and --height for .*, got .*portrait\.png"):
        poster(config(model=str(tmp_path / "model")))


def test_every_mode_and_what_it_refuses(ray_here, config, tmp_path, model):
    """Whole, tiled with and without keeping, and frozen: the same poster; a preview: another, and it says so."""
    made = {}
    for name, changes in {
        "kept": {},
        "anew": {"keep": False},
        "whole": {"mode": "whole", "tile": None, "keep": None},
        "frozen": {"mode": "frozen", "statistics": str(tmp_path / "kept"), "keep": None},
        "preview": {"mode": "preview", "tile": 16, "keep": None, "formats": ("jpeg",), "also": ()},
    }.items():
        settings = config(out=str(tmp_path / name), **changes)
        poster(settings)
        made[name] = FinishedPoster.at(settings.out)
    shown = {name: finished.whole("output").astype(int) for name, finished in made.items()}
    for name in ("anew", "whole", "frozen"):
        assert np.abs(shown[name] - shown["kept"]).max() <= 1
        assert (shown[name] != shown["kept"]).mean() < 0.001
    assert len(made["whole"].store.grid) == 1
    Path(made["whole"].url, "manifest.json").unlink()
    poster(config(out=made["whole"].url, mode="auto", tile=None, keep=None))  # goes on by the plan it began with
    assert FinishedPoster.at(made["whole"].url).manifest == made["whole"].manifest
    assert np.abs(shown["preview"] - shown["kept"]).max() > 1
    assert made["preview"].manifest.identity.statistics == "preview"
    assert made["preview"].manifest.measured_error is None
    assert (tmp_path / "preview" / "preview.jpg").exists()
    assert made["frozen"].manifest.statistics_digest == made["kept"].manifest.statistics_digest
    with pytest.raises(ValueError, match="statistics of a poster from the same templates"):
        poster(config(out=str(tmp_path / "other"), mode="frozen", keep=None, statistics=made["kept"].url, seed=6))
    with pytest.raises(ValueError, match=r"statistics of an exact poster, got 'the preview .*preview'"):
        poster(config(out=str(tmp_path / "other"), mode="frozen", keep=None, statistics=made["preview"].url))
    rough = config(out=str(tmp_path / "other"), keep=None, precision="bf16")
    with pytest.raises(ValueError, match="statistics in bf16, got 'fp32'"):
        poster(replace(rough, mode="frozen", statistics=made["kept"].url))
    poster(config(out=str(tmp_path / "narrow"), width=100, formats=(), also=()))
    with pytest.raises(ValueError, match=r"a job in .*frozen that differs in frozen"):
        poster(config(out=made["frozen"].url, mode="frozen", keep=None, statistics=str(tmp_path / "narrow")))
    with pytest.raises(ValueError, match="a tile to fit into a worker's memory of 1 MB"):
        poster(config(out=str(tmp_path / "other"), tile=48, memory_gb=0.001))
    with pytest.raises(ValueError, match=r"a tile of 248 x 264 px as it is read, .* or another --mode"):
        poster(config(out=str(tmp_path / "other"), memory_gb=0.001, mode="whole", tile=None, keep=None))
    with pytest.raises(ValueError, match="at most 65500 pixels on a side for JPEG"):
        poster(config(out=str(tmp_path / "other"), width=70_000, formats=("jpeg",)))
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_is_refused_before_a_worker_is_asked_for(ray_here, config, monkeypatch):
    monkeypatch.setattr(jobs.posters.poster, "paint_posters", None)
    with pytest.raises(
        ValueError, match=r"MB or more of memory for a tile of \d+ x \d+ px as it is read, got '1e-05 MB'"
    ):
        poster(config(memory_gb=1e-8))
    with pytest.raises(ValueError, match=r"GB or more of memory for a tile of 10\d{4} x"):
        poster(config(memory_gb=1, width=100_000, mode="whole", tile=None, keep=None, formats=()))
    with pytest.raises(ValueError, match=r"GB of free disk in .* for .*poster"):
        poster(config(width=2_000_000))


def test_the_largest_weights_on_request(ray_here, config, tmp_path):
    settings = config(top=2)
    poster(settings)
    store = FinishedPoster.at(settings.out).store
    labels, most, weights = (stored(store, name)[..., 0] for name in ("labels", "top_labels", "top_weights"))
    assert np.array_equal(labels, most)
    second = stored(store, "top_weights")[..., 1]
    assert (weights >= second).all()
    assert (weights.astype(int) + second <= 256).all()  # each is rounded
    assert (stored(store, "top_labels")[..., 1] != labels).all()
    assert stored(store, "top_weights", 0).shape == (150, 131, 2)
    save_generator(tmp_path / "mosaic", random_generator(2, system="mosaic"))
    with pytest.raises(ValueError, match="top <= 1, as many as the model weighs, got 2"):
        poster(config(model=str(tmp_path / "mosaic"), top=2, out=str(tmp_path / "other")))


def test_a_folder_of_another_poster_is_refused(ray_here, config):
    poster(config())
    for change, name in (({"seed": 6}, "seed"), ({"templates": 4}, "templates"), ({"width": 100}, "size")):
        with pytest.raises(ValueError, match=f"differs in .*{name}"):
            poster(config(**change))


def test_a_broken_style_picture_does_not_keep_a_job_from_going_on(ray_here, config, pictures, tmp_path):
    folder = tmp_path / "style"
    shutil.copytree(pictures / "style", folder)
    (folder / "broken.png").write_bytes(b"no picture")
    first, again = (poster(config(style=(str(folder),))) for _ in range(2))
    assert first == again
    skipped = json.loads((tmp_path / "poster" / "manifest.json").read_text())["skipped"]
    assert [entry["reason"] for entry in skipped] == ["no picture"]


def test_another_size(ray_here, config, tmp_path, caplog):
    poster(config(width=77, out=f"file://{tmp_path}/poster", max_share=0.3))
    assert "% of the poster" in caplog.text
    assert Image.open(tmp_path / "poster" / "poster.png").size == (77, 88)


def test_no_worker_is_left(ray_here, config):
    poster(config(workers=2))
    deadline = time.monotonic() + 20
    while ray_processes("TileWorker"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("name", ["set?/p", "family [1]/p"])
def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(config, s3, tmp_path, name):
    """Its neighbours, which would fit the pattern, are left alone."""
    base = s3 if "?" in name else str(tmp_path)
    neighbours = [f"{base}/{each}/p/mine.txt" for each in ("set1", "set2", "family 1")]
    for each in neighbours:
        write_object(each, b"mine")
    out = f"{base}/{name}"
    poster(config(out=out, formats=("png",), also=()))
    poster(config(out=out, formats=("png", "tiff"), also=()))
    assert cli.main(["export", out, f"{tmp_path}/again.png"]) == 0
    assert read_object(f"{out}/poster.png") == (tmp_path / "again.png").read_bytes()
    assert [read_object(each) for each in neighbours] == 3 * [b"mine"]


def test_pictures_whose_addresses_are_signed_anew_are_the_same_poster(config, pictures):
    server = LockedPictures(pictures)
    try:
        signed = [server.signed(f"style/{number}.png") for number in range(3)]
        content = server.signed("content/portrait.png")
        settings = config(style=tuple(signed), content=content, formats=("png",), also=())
        poster(settings)
        painted = contents(settings.out)
        again = [url.replace("20260101T", "20270202T") for url in (*signed, content)]
        poster(replace(settings, style=tuple(again[:-1]), content=again[-1]))
    finally:
        server.close()
    changed = {name for name, digest in contents(settings.out).items() if painted.get(name) != digest}
    assert {name.removeprefix("digests/").partition(".json")[0] for name in changed} <= {"manifest"}


def test_the_same_pictures_at_another_address_are_the_same_poster(config, pictures, tmp_path, monkeypatch):
    settings = config(width=77, formats=("png", "viewer"))
    poster(settings)
    first = FinishedPoster.at(settings.out)
    painted = contents(settings.out)
    monkeypatch.chdir(pictures / "style")
    shutil.copytree(pictures, tmp_path / "moved")
    for folder in ("..", str(tmp_path / "moved")):
        poster(replace(settings, style=(f"{folder}/style",), content=f"{folder}/content/portrait.png"))
        again = FinishedPoster.at(settings.out)
        assert again.manifest.pixels_digest == first.manifest.pixels_digest
        changed = {name for name, digest in contents(settings.out).items() if painted.get(name) != digest}
        addresses = {name for name in changed if name.removeprefix("digests/").startswith("manifest.json")}
        assert changed == addresses, "addresses are told in the manifest, and nothing is painted again"
    assert again.manifest.pictures[0].url == f"{tmp_path}/moved/style/0.png"
