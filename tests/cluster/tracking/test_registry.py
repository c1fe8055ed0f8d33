import hashlib
import json
import re

import mlflow
import pytest
from mlflow import MlflowClient

from cluster import code_version
from cluster.connection import ClusterConfig
from cluster.tracking import promotion, registry, runs


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/store/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def client(config) -> MlflowClient:
    return runs.open_store(config)


def registered(client, config, folder, alias="current", name="painter", run_id=None, **tags):
    run_id = run_id or runs.start_run(client, config, "painting", {"steps": 3, "losses": {"content": 1.5}})
    data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    tags = {"steps": "3", "digest": hashlib.sha256(data).hexdigest(), **tags}
    return registry.register(client, folder, name=name, alias=alias, run_id=run_id, tags=tags)


@pytest.fixture
def folder(tmp_path):
    """A model folder that no other test has."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_text(str(tmp_path))
    return tmp_path / "model"


def test_a_registered_folder_comes_back_by_alias_and_by_version(client, config, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"first")
    first = registered(client, config, tmp_path / "model")
    (tmp_path / "model" / "weights.bin").write_bytes(b"second")
    second = registered(client, config, tmp_path / "model")
    assert int(second.version) == int(first.version) + 1
    uri = runs.tracking_uri(config)
    for name, expected in (("@current", b"second"), (f"/{first.version}", b"first"), (f"/{second.version}", b"second")):
        found = registry.find(client, f"models:/painter{name}")
        folder = registry.download(found, tmp_path / f"to-{name[1:]}", uri)
        assert (folder / "weights.bin").read_bytes() == expected
    run = client.get_run(first.run_id)
    assert run.data.params["losses.content"] == "1.5"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/nobody@current", "not there: .*; registered are: .*painter"),
        ("models:/painter@missing", "not there"),
        ("models:/painter/999", "not there"),
        ("models:/painter", "expected models:/NAME@ALIAS"),
        ("runs:/abc", "expected models:/NAME@ALIAS"),
    ],
)
def test_unknown_names_are_one_clear_line(client, config, tmp_path, uri, message):
    if not registry.search(client, "painter"):
        (tmp_path / "x").touch()
        registered(client, config, tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        registry.find(client, uri)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ValueError, match=r"an MLflow store at http://127\.0\.0\.1:9"):
        runs.open_store(ClusterConfig(tracking_uri="http://127.0.0.1:9"))


def test_metrics_written_in_the_background_arrive(client, config, tmp_path, monkeypatch):
    """In this store, and with no other made: the global one is a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    run_id = runs.start_run(client, config, "painting", {})
    log = runs.RunLog(runs.tracking_uri(config), run_id)
    for step in range(5):
        log.metrics({"loss": 1.0 / (step + 1)}, step=step, time_ms=step)
    log.close()
    history = client.get_metric_history(run_id, "loss")
    assert sorted((m.step, m.value) for m in history) == [(step, 1.0 / (step + 1)) for step in range(5)]
    assert list(tmp_path.iterdir()) == []


def test_lost_metrics_are_counted(config, caplog):
    log = runs.RunLog(runs.tracking_uri(config), "0" * 32)
    log.metrics({"loss": 1.0}, step=1, time_ms=1)
    log.close()
    assert "1 entries of the run's curves are lost" in caplog.text


def test_a_run_that_goes_on_keeps_what_it_registered_before(client, config, folder, tmp_path):
    """Two models of one run: both stay, and neither is registered twice, whatever is tagged later."""
    first = registered(client, config, folder)
    before = (folder / "weights.bin").read_bytes()
    client.set_model_version_tag("painter", first.version, "seen", "yes")
    assert registered(client, config, folder, run_id=first.run_id, steps="4").version == first.version
    (folder / "weights.bin").write_bytes(b"trained on")
    second = registered(client, config, folder, run_id=first.run_id)
    assert second.version != first.version
    there = registry.download(first, tmp_path / "first", runs.tracking_uri(config), ["weights.bin"])
    assert (there / "weights.bin").read_bytes() == before


def test_versions_are_found_by_name_tag_and_digest(client, config, folder):
    one = registered(client, config, folder, name="city-a", alias="prod", style="x")
    two = registered(client, config, folder, name="city-b", style="x' or 1=1")
    assert {v.uri for v in registry.search(client, "city-?")} == {one.uri, two.uri}
    assert [v.uri for v in registry.search(client, tags={"style": "x"})] == [one.uri]
    assert [v.uri for v in registry.search(client, "city-*", {"style": "x' or 1=1"})] == [two.uri]
    assert registry.search(client, "City-a") == []
    assert {v.uri for v in registry.find_digest(client, one.digest)} == {one.uri, two.uri}
    assert [v.uri for v in registry.find_digest(client, one.digest, "city-b")] == [two.uri]
    entry = registry.search(client, "city-a")[0]
    assert entry == registry.find(client, one.uri) == registry.find(client, "models:/city-a@prod")
    assert (entry.aliases, entry.status, entry.tags["style"]) == (("prod",), "READY", "x")


def test_a_promotion_moves_the_alias_and_is_on_record(client, config, folder):
    first = registered(client, config, folder, name="climber", alias=None)
    (folder / "weights.bin").write_bytes(b"second")
    second = registered(client, config, folder, name="climber", alias=None)
    for entry, why in ((first, "the only one"), (second, "better\nseams")):
        promotion.promote(client, entry, "prod", why)
        assert registry.find(client, "models:/climber@prod").version == entry.version
    assert promotion.promote(client, second, "prod", "again") is None
    told = promotion.history(client, "climber")
    assert [(p.before, p.version, p.why) for p in told] == [(None, "1", "the only one"), ("1", "2", "better\nseams")]
    assert all(p.by and p.when.endswith("+00:00") for p in told)
    assert json.loads(registry.find(client, first.uri).tags["promoted/prod"])["why"] == "the only one"


def test_the_history_keeps_the_newest_promotions(client, config, folder):
    versions = []
    for content in (b"a", b"b"):
        (folder / "weights.bin").write_bytes(content)
        versions.append(registered(client, config, folder, name="restless", alias=None))
    for number in range(6):
        promotion.promote(client, versions[number % 2], "prod", f"{number} " + "ü" * 990)
    kept = client.get_registered_model("restless").tags[promotion.HISTORY]
    assert len(kept) < 5000
    assert [p.why[0] for p in promotion.history(client, "restless")] == ["3", "4", "5"]


@pytest.mark.parametrize("alias", ["latest", "v3", "no spaces", ""])
def test_an_alias_that_cannot_be_leaves_no_record(client, config, folder, alias):
    entry = registered(client, config, folder, name="stayer", alias=None)
    with pytest.raises(ValueError, match="expected an alias of letters"):
        promotion.promote(client, entry, alias, "why not")
    assert promotion.history(client, "stayer") == []


def test_the_global_store_stays_as_it_was(client, config, folder, tmp_path):
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    entry = registered(client, config, folder, name="guest")
    registry.download(entry, tmp_path / "there", runs.tracking_uri(config))
    registry.search(client)
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before


def test_what_the_store_refuses_is_one_line(config):
    with (
        pytest.raises(RuntimeError, match=r"the MLflow store at sqlite:.* says: ") as caught,
        runs.connected(config) as c,
    ):
        c.get_run("0" * 32)
    assert "\n" not in str(caught.value)


def test_every_run_names_its_code(client, config, monkeypatch):
    tags = client.get_run(runs.start_run(client, config, "painting", {})).data.tags
    assert re.fullmatch(r".*[0-9a-f]{7,}(-dirty)?", tags["code_version"])
    assert re.fullmatch("[0-9a-f]{40}", tags["mlflow.source.git.commit"])
    carried = client.get_run(runs.start_run(client, config, "painting", {}, {"code_version": "older"})).data.tags
    assert carried["code_version"] == "older"
    assert "mlflow.source.git.commit" not in carried


def test_code_without_a_repository_is_named_by_the_environment_or_by_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(code_version, "ROOT", tmp_path)
    for function in (code_version.code_version, code_version.git_commit):
        monkeypatch.setattr(code_version, function.__name__, function.__wrapped__)
    monkeypatch.delenv("MAGIC_CODE_VERSION", raising=False)
    assert code_version.code_version() == "0.1.0"
    assert code_version.git_commit() is None
    monkeypatch.setenv("MAGIC_CODE_VERSION", "abc-dirty")
    assert code_version.code_version() == "abc-dirty"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: "/proc/mlflow.db", "unable to open database file"),
        (lambda folder: "/proc/folder/mlflow.db", "No such file or directory"),
        (lambda folder: str(folder), "unable to open database file"),
        (lambda folder: damaged(folder / "mlflow.db"), "file is not a database"),
    ],
)
def test_a_database_that_can_neither_be_read_nor_made_is_refused_at_once(make, reason, tmp_path, caplog):
    """As where the working directory is read-only: MLflow by itself tries ten times, for over a minute."""
    where = make(tmp_path)
    with pytest.raises(ValueError, match=f"expected an MLflow database .* at {where}, got: .*{reason}.*; name another"):
        runs.open_store(ClusterConfig(tracking_uri=f"sqlite:///{where}"))
    assert "retried" not in caplog.text


def damaged(file) -> str:
    file.write_bytes(b"no database" * 100)
    return str(file)


def test_the_home_folder_is_spelled_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = ClusterConfig(tracking_uri="sqlite:///~/mlflow.db", artifacts="~/artifacts")
    assert runs.tracking_uri(config) == f"sqlite:///{tmp_path}/mlflow.db"
    store = runs.open_store(config)
    run = store.get_run(runs.start_run(store, config, "painting", {}))
    assert run.info.artifact_uri.startswith(f"file://{tmp_path}/artifacts/")
    assert runs.tracking_uri(ClusterConfig(tracking_uri="sqlite:///~nobody-here/m.db")).endswith("/~nobody-here/m.db")
