import configparser
import os
import stat
import tempfile
from pathlib import Path

import pytest

from cluster.tracking import serve

ARGS = [
    "--database=postgresql+psycopg://mlflow@db:5432/mlflow",
    "--artifacts=s3://b/mlflow",
    "--allowed-hosts=mlflow:5000",
]
HARD = "p%40/@:s ✓"


@pytest.fixture
def secrets(tmp_path) -> Path:
    for name in "database_password", "admin_password", "flask_secret_key":
        (tmp_path / name).write_text(f"{HARD}{name}\n")
    return tmp_path


@pytest.fixture
def started(monkeypatch, tmp_path):
    """The arguments and the environment that MLflow would get."""
    calls = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(os, "execv", lambda _, arguments: calls.append(arguments))
    return calls


def test_secrets_reach_mlflow_by_its_environment_alone(secrets, started):
    serve.main([*ARGS, f"--secrets={secrets}"])
    assert os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"] == f"{HARD}admin_password"
    assert os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] == f"{HARD}flask_secret_key"
    assert os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    [arguments] = started
    assert "_password" not in " ".join(arguments)
    assert arguments[arguments.index("--app-name") + 1] == "basic-auth"
    assert arguments[arguments.index("--workers") + 1] == "1"
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"
    assert arguments[arguments.index("--allowed-hosts") + 1] == "mlflow:5000"


def test_users_are_kept_in_the_same_database_and_the_file_is_private(secrets, started):
    from sqlalchemy.engine import make_url

    serve.main([*ARGS, f"--secrets={secrets}"])
    path = Path(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    ini = configparser.ConfigParser()
    ini.read(path)
    assert ini["mlflow"]["database_uri"] == os.environ["MLFLOW_BACKEND_STORE_URI"]
    url = make_url(ini["mlflow"]["database_uri"])
    assert (url.username, url.password, url.host, url.port) == ("mlflow", f"{HARD}database_password", "db", 5432)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_secret_is_named(secrets, started):
    (secrets / "admin_password").write_text("\n")
    with pytest.raises(ValueError, match=r"expected a secret in .*admin_password, got none"):
        serve.main([*ARGS, f"--secrets={secrets}"])
    assert started == []


def test_a_password_among_the_arguments_is_refused():
    with pytest.raises(ValueError, match="without a password") as refused:
        serve.with_password("postgresql://mlflow:hush@db/mlflow", "x")
    assert "hush" not in str(refused.value)
