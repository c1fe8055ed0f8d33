"""Registered models: looked up, compared, promoted, carried elsewhere, refused once changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cluster.tracking import registry, runs
from jobs.models.card import CardSubject, card
from jobs.models.comparing import models_compare
from jobs.models.listing import models_list
from jobs.models.lookup import find_model, read_model
from jobs.models.promoting import models_promote
from jobs.models.recipe import RECIPE
from jobs.models.showing import models_show
from jobs.models.transfer import models_export, models_import
from jobs.settings.models_config import (
    ModelsCompareConfig,
    ModelsExportConfig,
    ModelsImportConfig,
    ModelsListConfig,
    ModelsPromoteConfig,
    ModelsShowConfig,
)
from magic.networks.packed import CONFIG, WEIGHTS, save_generator
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import ModelReference
from tests.conftest import random_generator
from tests.jobs.models.registered import SECRET, files_of, recipe, registered
from tests.pipelines.export.viewed import changed

ROOT = Path(__file__).resolve().parents[3]

# what is registered


def test_the_registered_folder_has_no_pickle_and_no_path_of_this_machine(city):
    names = {path.relative_to(files_of(city)).as_posix() for path in files_of(city).rglob("*") if path.is_file()}
    assert {
        WEIGHTS,
        CONFIG,
        RECIPE,
        "MLmodel",
        "pyfunc_model.py",
        "card.md",
        "sheet.png",
        "code/magic/scene/renderer.py",
    } <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".pyc"))]
    described = (files_of(city) / "MLmodel").read_text()
    assert "model_code_path: pyfunc_model.py" in described
    assert "python_model" not in described
    for name in sorted(names - {WEIGHTS, "sheet.png"}):
        assert str(ROOT) not in (files_of(city) / name).read_text(), name


def test_the_card_tells_what_matters_and_no_secret(client, city):
    card = (files_of(city) / "card.md").read_text()
    for said in ("# city", "sheet.png", city.digest, "abc123", city.run_id, "channels 8, depth 2", "K = 3", "5" * 64):
        assert said in card
    assert "| validation/style_distance | 12.5 |" in card
    assert "https://host/a.jpg" in card
    assert "losses that differ from the defaults | none" in card
    assert "mlflow.pyfunc.load_model" in card
    assert client.get_model_version("city", city.version).description == card[: registry.MAX_DESCRIPTION_CHARS]
    for path in files_of(city).rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_changed_losses_are_on_the_card(client, cluster):
    version = registered(client, cluster, "hard", seed=7, entropy=5.0)
    assert "| entropy 5.0 |" in (files_of(version) / "card.md").read_text()


# loading


@pytest.mark.parametrize(("file", "message"), [(WEIGHTS, "the model"), (CONFIG, "the model"), (RECIPE, "the recipe")])
def test_a_changed_artifact_is_refused(client, cluster, file, message):
    version = registered(client, cluster, "changed", seed=len(file))
    assert find_model(version.uri, cluster).packed.digest == version.digest
    path = files_of(version) / file
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(
        ValueError, match=rf"expected {message} with SHA-256 [0-9a-f]{{64}} in .*, got [0-9a-f]{{64}}; restore"
    ):
        find_model(version.uri, cluster)
    with pytest.raises(ValueError, match="restore it"):
        models_export(ModelsExportConfig(model=version.uri, to="nowhere", cluster=cluster))
    assert not Path("nowhere").exists()


def test_a_recipe_of_another_format_is_told_by_the_models_name(tmp_path):
    save_generator(tmp_path, random_generator(2))
    (tmp_path / RECIPE).write_text("{}")
    with pytest.raises(ValueError, match=r"a model's recipe .* at models:/city/1/recipe\.json, got kind None"):
        read_model(str(tmp_path), "models:/city/1")


def test_loading_reads_no_code(client, cluster, monkeypatch):
    version = registered(client, cluster, "harmless", seed=3)
    for path in (files_of(version) / "pyfunc_model.py", files_of(version) / "code" / "magic" / "scene" / "renderer.py"):
        path.write_text("raise SystemExit('ran')")
    (files_of(version) / "MLmodel").unlink()
    assert find_model("models:/harmless@current", cluster).packed.digest == version.digest


# looking up


def test_models_are_listed_by_name_and_by_tag(client, cluster, city, capsys):
    other = registered(client, cluster, "town", seed=1, distance=3.0)
    assert {v.uri for v in models_list(ModelsListConfig(pattern="t*n", cluster=cluster))} == {other.uri}
    by_tag = ModelsListConfig(tag=(f"digest={city.digest}", "steps=24"), cluster=cluster)
    capsys.readouterr()
    assert [v.uri for v in models_list(by_tag)] == [city.uri]
    head, line = capsys.readouterr().out.strip().splitlines()
    assert head.split() == ["name", "version", "aliases", "steps", "style", "distance", "created", "(UTC)", "code"]
    assert line.split()[:5] == ["city", "1", "current", "24", "12.5"]
    assert line.endswith("abc123")
    assert models_list(ModelsListConfig(tag=("steps=25",), cluster=cluster)) == []
    with pytest.raises(ValueError, match="expected tags as key=value, got 'steps'"):
        ModelsListConfig(tag=("steps",))


def test_a_model_is_shown_by_uri_and_by_name(client, cluster, city, capsys):
    for what in ("city", "models:/city@current", "models:/city/1"):
        assert models_show(ModelsShowConfig(what=what, cluster=cluster)) == registry.find(client, "models:/city/1")
        shown = capsys.readouterr().out
        for said in (city.run_id, f"{city.digest}: agrees", "abc123", "losses.entropy", "c" * 64, "12.5"):
            assert said in shown
        assert SECRET not in shown
    with pytest.raises(ValueError, match="expected a registered model, got 'models:/nobody@current'"):
        models_show(ModelsShowConfig(what="nobody", cluster=cluster))
    with pytest.raises(ValueError, match="expected the folder of a finished poster, got out/none"):
        models_show(ModelsShowConfig(what="out/none", cluster=cluster))


def poster_of(version, make_poster) -> FinishedPoster:
    """A poster, as if the version had painted it."""
    poster = changed(make_poster(150, 131), model=ModelReference(uri=version.uri, digest=version.digest))
    poster.record()
    return poster


def test_a_poster_leads_to_its_model_by_name_or_by_digest(cluster, city, make_poster, capsys):
    poster = poster_of(city, make_poster)
    for uri in (city.uri, "/some/folder", "models:/of-another-registry/3"):
        changed(poster, model=ModelReference(uri=uri, digest=city.digest)).record()
        assert models_show(ModelsShowConfig(what=poster.url, cluster=cluster)).uri == city.uri
        shown = capsys.readouterr().out
        assert shown.startswith(f"poster {poster.url}")
        for picture in poster.manifest.pictures:
            assert picture.sha256 in shown
        assert f"{city.digest}: agrees" in shown


def test_a_model_that_is_no_longer_the_posters_is_told_apart(client, cluster, make_poster, capsys):
    version = registered(client, cluster, "lost", seed=21)
    poster = poster_of(version, make_poster)
    file = files_of(version) / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="expected the model with SHA-256"):
        models_show(ModelsShowConfig(what=poster.url, cluster=cluster))
    shown = capsys.readouterr().out
    assert "DOES NOT AGREE" in shown
    assert version.run_id in shown


def test_a_promotion_is_shown(client, cluster, capsys):
    first, second = (registered(client, cluster, "climber", seed=seed, alias=None) for seed in (11, 12))
    for version, why in ((first, "the first"), (second, "finer pieces")):
        models_promote(ModelsPromoteConfig(model=version.uri, alias="prod", why=why, cluster=cluster))
    assert registry.find(client, "models:/climber@prod").version == second.version
    models_promote(ModelsPromoteConfig(model="models:/climber@prod", alias="prod", why="again", cluster=cluster))
    assert "already" in capsys.readouterr().out
    models_show(ModelsShowConfig(what=first.uri, cluster=cluster))
    shown = capsys.readouterr().out
    assert "prod: no version -> version 1, by" in shown
    assert "prod: version 1 -> version 2, by" in shown
    assert "finer pieces" in shown
    with pytest.raises(ValueError, match=r"expected a reason \(--why\)"):
        ModelsPromoteConfig(model="models:/climber/1", alias="prod", why=" ")


def test_models_are_compared(client, cluster, city, tmp_path, capsys):
    other = registered(client, cluster, "village", seed=31, distance=99.0, entropy=5.0)
    sheet = tmp_path / "sheet.png"
    config = ModelsCompareConfig(models=("city", other.uri), sheet=str(sheet), cluster=cluster)
    assert models_compare(config)[other.uri]["validation/style_distance"] == 99.0
    shown = capsys.readouterr().out
    assert "| validation/style_distance | 12.5 | 99 |" in shown
    assert "| losses.entropy | 0.5 | 5.0 |" in shown
    assert "losses.content" not in shown
    assert Image.open(sheet).width > 2 * Image.open(sheet).height / 1.5
    with pytest.raises(ValueError, match="expected two models or more"):
        ModelsCompareConfig(models=("city",))


# elsewhere


def test_a_model_goes_to_another_registry_and_stays_the_same(client, cluster, city, exported, elsewhere):
    told = json.loads((exported / "version.json").read_text())
    assert (told["uri"], told["digest"], told["tags"]["steps"]) == (city.uri, city.digest, "24")
    assert SECRET not in (exported / "version.json").read_text()
    config = ModelsImportConfig(folder=str(exported), name="metro", alias="prod", cluster=elsewhere)
    made = models_import(config)
    assert made.digest == city.digest
    assert made.tags["imported_from"] == city.uri
    there = runs.open_store(elsewhere)
    run, origin = there.get_run(made.run_id), client.get_run(city.run_id)
    assert run.data.params["losses.entropy"] == origin.data.params["losses.entropy"]
    assert run.data.metrics["validation/style_distance"] == 12.5
    assert run.data.tags["imported_from"] == city.uri
    assert run.data.tags["code_version"] == made.tags["code_version"] == "abc123"
    assert (files_of(made) / "sheet.png").read_bytes() == (files_of(city) / "sheet.png").read_bytes()
    assert models_import(config).version == made.version
    assert registry.find(there, "models:/metro@prod").version == made.version
    assert len(registry.search(there, "metro")) == 1
    ours, theirs = (find_model(uri, c) for uri, c in ((city.uri, cluster), ("models:/metro@prod", elsewhere)))
    assert ours.packed == theirs.packed
    assert ours.recipe == theirs.recipe


def test_exporting_again_completes_and_another_model_is_refused(client, cluster, city, exported, capsys):
    (exported / "card.md").unlink()
    models_export(ModelsExportConfig(model="city", to=str(exported), cluster=cluster))
    assert (exported / "card.md").exists()
    other = registered(client, cluster, "stranger", seed=41)
    with pytest.raises(
        ValueError, match=r"export's folder to be new or this job's own, got a job in .* that differs in digest"
    ):
        models_export(ModelsExportConfig(model=other.uri, to=str(exported), cluster=cluster))


@pytest.mark.parametrize("to", ["", " ", "s3://", "s3:/bucket/x", "https://host/x", "zip://x::y", "a-file", "a-file/x"])
def test_an_export_goes_to_a_folder_or_nowhere(cluster, city, to, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_bytes(b"mine")
    with pytest.raises(ValueError, match="expected "):
        models_export(ModelsExportConfig(model="city", to=to, cluster=cluster))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a-file", b"mine")]


def test_an_export_is_not_written_over_what_is_somebody_elses(cluster, city, tmp_path):
    (tmp_path / "card.md").write_bytes(b"mine")
    with pytest.raises(ValueError, match="the export's folder to be new or this job's own, got other files"):
        models_export(ModelsExportConfig(model="city", to=str(tmp_path), cluster=cluster))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("card.md", b"mine")]


def test_a_card_shows_names_and_nothing_else():
    """No link, no HTML, no line of a table is made by the name of a folder."""
    trained = recipe()
    style = replace(trained.style, urls=("/a/[x](http://evil) <img src=y> `b` | c\x1b[2J\n# d",))
    facts = {"name": "m", "steps": "1", "metrics": {}, "digest": "0", "code_version": "c", "run": "r"}
    subject = CardSubject(**facts, recipe=replace(trained, style=style), has_sheet=False)
    assert r"``/a/[x](http://evil) <img src=y> `b` \| c\x1b[2J\n# d``" in card(subject)


def test_a_model_goes_over_object_storage(cluster, city, elsewhere, s3):
    folder = models_export(ModelsExportConfig(model="city", to=f"{s3}/models/city", cluster=cluster))
    assert models_import(ModelsImportConfig(folder=folder, name="by-bucket", cluster=elsewhere)).digest == city.digest


def test_a_changed_export_is_refused_and_brings_no_code(exported, elsewhere, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    (folder / "pyfunc_model.py").write_text("raise SystemExit('ran')")
    config = ModelsImportConfig(folder=str(folder), name="guest", cluster=elsewhere)
    assert "raise SystemExit" not in (files_of(models_import(config)) / "pyfunc_model.py").read_text()
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1] + b"?")
    with pytest.raises(ValueError, match=f"expected the file {WEIGHTS} with SHA-256"):
        models_import(config)
    told = json.loads((folder / "version.json").read_text())
    (folder / WEIGHTS).write_bytes(data)
    (folder / "version.json").write_text(json.dumps(told | {"digest": "0" * 64}))
    with pytest.raises(ValueError, match="expected the model with SHA-256 0000"):
        models_import(config)
    (folder / "version.json").unlink()
    with pytest.raises(ValueError, match="expected a folder that magic models export wrote"):
        models_import(config)
