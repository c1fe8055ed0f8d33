import pytest
from mlflow import MlflowClient

from cluster import registry, tracking
from cluster.config import ClusterConfig


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/store/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def client(config) -> MlflowClient:
    return tracking.open_store(config)


def registered(client, config, folder, alias="current"):
    run_id = tracking.start_run(client, config, "painting", {"steps": 3, "losses": {"content": 1.5}})
    return registry.register(client, folder, name="painter", alias=alias, run_id=run_id, tags={"steps": "3"})


def test_a_registered_folder_comes_back_by_alias_and_by_version(client, config, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"first")
    first = registered(client, config, tmp_path / "model")
    (tmp_path / "model" / "weights.bin").write_bytes(b"second")
    second = registered(client, config, tmp_path / "model")
    assert int(second.version) == int(first.version) + 1
    uri = tracking.tracking_uri(config)
    for name, expected in (("@current", b"second"), (f"/{first.version}", b"first"), (f"/{second.version}", b"second")):
        found = registry.find(client, f"models:/painter{name}")
        folder = registry.download(found, tmp_path / f"to-{name[1:]}", uri)
        assert (folder / "weights.bin").read_bytes() == expected
    run = client.get_run(first.run_id)
    assert run.data.params["losses.content"] == "1.5"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/nobody@current", "not there; registered are: painter"),
        ("models:/painter@missing", "not there"),
        ("models:/painter/999", "not there"),
        ("models:/painter", "expected models:/NAME@ALIAS"),
        ("runs:/abc", "expected models:/NAME@ALIAS"),
    ],
)
def test_unknown_names_are_one_clear_line(client, config, tmp_path, uri, message):
    if not client.search_registered_models():
        (tmp_path / "x").touch()
        registered(client, config, tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        registry.find(client, uri)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ValueError, match=r"an MLflow store at http://127\.0\.0\.1:9"):
        tracking.open_store(ClusterConfig(tracking_uri="http://127.0.0.1:9"))


def test_metrics_written_in_the_background_arrive(client, config):
    run_id = tracking.start_run(client, config, "painting", {})
    log = tracking.RunLog(tracking.tracking_uri(config), run_id)
    for step in range(5):
        log.metrics({"loss": 1.0 / (step + 1)}, step=step, time_ms=step)
    log.close()
    history = client.get_metric_history(run_id, "loss")
    assert sorted((m.step, m.value) for m in history) == [(step, 1.0 / (step + 1)) for step in range(5)]
