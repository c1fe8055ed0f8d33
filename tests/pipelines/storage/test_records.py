"""Records come back as they were written; whatever else is in a file is told in one line that names file and field."""

import json
from dataclasses import replace

import pytest

from jobs.models.recipe import Recipe
from magic.hyperparameters import GeneratorConfig
from pipelines.posters.poster_records import Manifest
from pipelines.storage.door import read_object, write_object


@pytest.fixture(scope="module")
def manifest(make_poster) -> Manifest:
    return make_poster(64, 64).manifest


def test_a_record_comes_back_as_it_was(manifest, tmp_path, s3):
    for url in (f"{tmp_path}/manifest.json", f"{s3}/manifest.json"):
        assert Manifest.read(url) is None
        manifest.write(url)
        assert Manifest.read(url) == Manifest.find(url) == manifest
        written = json.loads(read_object(url))
        assert (written["kind"], written["format"]) == ("poster manifest", Manifest.FORMAT)
    recipe = Recipe(name="city", generator=GeneratorConfig(warp="flow"))
    assert Recipe.from_bytes(recipe.to_bytes(), "here") == recipe


def without(*names):
    """A change that takes a field away."""

    def change(fields):
        *path, last = names
        for name in path:
            fields = fields[name]
        del fields[last]

    return change


def setting(value, *names):
    """A change that gives a field another value."""

    def change(fields):
        *path, last = names
        for name in path:
            fields = fields[name]
        fields[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("canvas", "height"), r"got canvas\.height: Field required"),
        (setting(1.5, "canvas", "poster_height"), r"got canvas\.poster_height: Input should be a valid integer"),
        (setting("pointillist", "identity", "system"), r"got identity\.system: Input should be 'magic', 'famos' or"),
        (setting([], "identity", "size"), r"got identity\.size\.0: Field required"),
        (
            setting("x", "identity", "templates", 0, "top"),
            r"got identity\.templates\.0\.top: Input should be",
        ),
        (setting(0.0, "identity", "seed"), r"got identity\.seed: Input should be a valid integer"),
        (setting("5", "identity", "seed"), r"got identity\.seed: Input should be a valid integer"),
        (setting(True, "identity", "seed"), r"got identity\.seed: Input should be a valid integer"),
        (setting("inf", "identity", "style", "scale"), r"got identity\.style\.scale: Input should be a valid number"),
        (setting(float("inf"), "identity", "style", "scale"), "got no JSON: 'Infinity' is no number"),
        (setting(float("nan"), "identity", "style", "scale"), "got no JSON: 'NaN' is no number"),
        (setting(10**30, "identity", "seed"), "got no JSON: '1000.*' is no number"),
        (setting(1, "identity", "x" * 5000), "got identity.xxx"),
        (setting(1, "identity", "x\n"), r"got no JSON: the key 'x\\n' cannot be printed"),
        (
            setting("\ud800", "identity", "model", "uri"),
            "got all of it: nested too deeply, or with text that is no Unicode",
        ),
        (setting(1, "identity", "colour"), r"got identity\.colour: Unexpected keyword argument"),
        (setting(2, "format"), r"got kind 'poster manifest', format 2; make it anew"),
        (setting("app", "kind"), r"got kind 'app', format 1"),
    ],
)
def test_a_damaged_record_is_one_line_that_names_file_and_field(manifest, tmp_path, change, message):
    fields = json.loads(manifest.to_bytes())
    change(fields)
    url = f"{tmp_path}/manifest.json"
    write_object(url, json.dumps(fields).encode())
    with pytest.raises(ValueError, match=message) as refused:
        Manifest.read(url)
    assert url in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"kind": 1, "kind": 1}', b"[1, 2]", b"null", b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_record_at_all(data, tmp_path):
    url = f"{tmp_path}/manifest.json"
    write_object(url, data)
    assert Manifest.find(url) is None
    with pytest.raises(ValueError, match=rf"expected a poster's manifest at {url}, got .*; put the file back"):
        Manifest.read(url)


def test_settings_in_a_recipe_are_checked_as_if_they_were_typed(tmp_path):
    fields = json.loads(Recipe().to_bytes())
    fields["generator"]["depth"] = 99
    with pytest.raises(ValueError, match=r"got generator: Value error, expected a depth in 1\.\.8, got 99"):
        Recipe.from_bytes(json.dumps(fields).encode(), "here")


def test_what_tells_of_a_poster_does_not_decide_its_pixels(manifest):
    told = replace(manifest, versions={"magic": "another"})
    assert told.pixels_digest == manifest.pixels_digest
    another = replace(manifest, identity=replace(manifest.identity, seed=99))
    assert another.pixels_digest != manifest.pixels_digest
