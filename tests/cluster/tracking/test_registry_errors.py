"""What a registry does not have, or does not tell everybody, is told in the server's words."""

from dataclasses import replace

import pytest
from mlflow.server import get_app_client

from cluster.connection import ClusterConfig
from cluster.tracking import promotion, registry, runs
from cluster.tracking.aliases import check_alias
from jobs.settings.models_config import ModelsImportConfig, ModelsPromoteConfig
from jobs.settings.recipes import RECIPES
from tests.servers.mlflow_server import PASSWORD, USER, MlflowServer

GUEST, GUEST_PASSWORD = "guest-of-tests", "guest-password-1234"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> ClusterConfig:
    folder = tmp_path_factory.mktemp("mlflow")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def client(config):
    return runs.open_store(config)


def register(client, config, folder, name, digest, alias=None):
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "weights.bin").write_text(digest)
    run_id = runs.start_run(client, config, name, {})
    tags = {"digest": digest}
    return registry.register(client, folder / "model", name=name, run_id=run_id, tags=tags, alias=alias)


def test_what_is_not_there_is_told_with_what_there_is(client, config, tmp_path):
    for digest, alias in (("a", "prod"), ("b", None), ("c", "current")):
        register(client, config, tmp_path, "tower", digest, alias)
    client.set_registered_model_alias("tower", "best", "3")
    client.delete_model_version("tower", "2")
    for uri, said in (
        ("models:/tower/2", r"Model Version \(name=tower, version=2\) not found"),
        ("models:/tower/9", r"Model Version \(name=tower, version=9\) not found"),
        ("models:/tower@test", r"Registered model alias test not found\."),
    ):
        told = rf"got '{uri}', which is not there: {said}; versions of tower: 3 @best @current, 1 @prod$"
        with pytest.raises(ValueError, match=told):
            registry.find(client, uri)
    with pytest.raises(ValueError, match=r"Registered Model with name=no-one not found; registered are: .*tower"):
        registry.find(client, "models:/no-one@current")


@pytest.mark.parametrize("uri", ["tower/" + "9" * 30, "tower/٣", "tower", "x" * 9999, "a@b@c", "/1", ""])
def test_what_is_no_uri_of_a_model_is_a_short_line(client, uri):
    with pytest.raises(ValueError, match="expected models:/NAME@ALIAS or models:/NAME/VERSION, got 'models:/") as told:
        registry.find(client, f"models:/{uri}")
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("alias", ["2", "latest", "LATEST", "v3", "", " ", "a b", "prod\n", "é", "x" * 256])
def test_an_alias_that_cannot_be_is_refused_before_any_work(alias):
    for asked in (
        lambda: check_alias(alias),
        lambda: ModelsPromoteConfig(model="models:/a/1", alias=alias, why="so"),
        lambda: ModelsImportConfig(folder="f", name="a", alias=alias),
        lambda: replace(RECIPES["demo"][1], alias=alias),
    ):
        with pytest.raises(
            ValueError, match=r"expected an alias of letters, digits, '-' and '_', but neither latest nor"
        ):
            asked()


def test_promotions_that_somebody_overwrote_stay_and_move_no_alias(client, config, tmp_path):
    entry = register(client, config, tmp_path, "castle", "d")
    for text in ("{", "[1]", '[{"alias": "prod"}]', "[" * 4000, '"x"'):
        client.set_registered_model_tag("castle", promotion.HISTORY, text)
        with pytest.raises(
            ValueError, match=r"expected the promotions of castle in the tag promotions .*, got .*; put"
        ):
            promotion.promote(client, entry, "prod", "finer")
        model = client.get_registered_model("castle")
        assert model.tags[promotion.HISTORY] == text
        assert model.aliases == {}
        assert "promoted/prod" not in registry.find(client, entry.uri).tags


def test_a_storage_library_that_says_it_in_two_lines_is_understood(client, config, tmp_path):
    entry = register(client, config, tmp_path, "bridge", "f")
    with pytest.raises(
        ValueError, match=r"expected the files of models:/bridge/1 at s3:.*, got: Parameter .*: \S+"
    ) as told:
        registry.download(replace(entry, source="s3:"), tmp_path / "to", runs.tracking_uri(config), ["weights.bin"])
    assert str(told.value).isprintable()


def test_who_may_not_read_a_model_is_told_so(tmp_path_factory, monkeypatch):
    """By a server with basic authentication: 403 is not taken for a model that is not there."""
    folder = tmp_path_factory.mktemp("server")
    server = MlflowServer(folder, str(folder / "artifacts"), {})
    server.start()
    try:
        log_in(monkeypatch, USER, PASSWORD)
        config = ClusterConfig(tracking_uri=server.url)
        client = runs.open_store(config)
        entry = register(client, config, folder, "secret", "e", "current")
        experiment_id = client.get_run(entry.run_id).info.experiment_id
        administration = get_app_client("basic-auth", server.url)
        administration.create_user(GUEST, GUEST_PASSWORD)
        administration.grant_user_permission(GUEST, "registered_model", "secret", "DENY")
        administration.grant_user_permission(GUEST, "experiment", experiment_id, "DENY")
        log_in(monkeypatch, GUEST, GUEST_PASSWORD)
        for look in (
            lambda store: registry.find(store, "models:/secret@current"),
            lambda store: registry.find(store, entry.uri),
            lambda store: runs.existing_run(store, entry.run_id),
        ):
            said = rf"the MLflow store at {server.url} says: .*403.*Permission denied.*; log in as a user who may"
            with pytest.raises(RuntimeError, match=said) as told, runs.connected(config) as store:
                look(store)
            assert str(told.value).isprintable()
            assert "not there" not in str(told.value)
        log_in(monkeypatch, GUEST, "wrong")
        with pytest.raises(ValueError, match=r"expected an MLflow store at .*, got: .*401.*; log in as a user who may"):
            runs.open_store(config)
    finally:
        server.stop()


def log_in(monkeypatch, user, password):
    """Ask MLflow as this user from now on."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
