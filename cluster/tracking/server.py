"""Becomes the MLflow server of a cluster: basic auth, PostgreSQL, one worker process.

Its secrets come from files, so that neither arguments nor a container's settings show them. MLflow takes the users'
database from a file alone, which is written here.
"""

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

ADMIN = "admin"
AUTH_CACHE_S = 60
"""How long a right password is remembered: checking one takes longer than most requests."""


def main(args: Sequence[str] | None = None) -> None:
    """Read the secrets and hand this process over to MLflow."""
    options = parse(args)
    database = with_password(options.database, read_secret(options.secrets, "database_password"))
    os.environ |= {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": write_auth_config(database),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": read_secret(options.secrets, "admin_password"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": read_secret(options.secrets, "flask_secret_key"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a third of the memory and of the time to start
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *server_options(options)])  # noqa: S606


def parse(args: Sequence[str] | None) -> Namespace:
    """What is no secret."""
    parser = ArgumentParser(prog="cluster.tracking.server", description=__doc__)
    parser.add_argument(
        "--database", required=True, help="postgresql+psycopg://USER@HOST:PORT/NAME, without the password"
    )
    parser.add_argument("--artifacts", required=True, help="URL of the folder for artifacts")
    parser.add_argument("--secrets", required=True, type=Path, help="folder with a file for each secret")
    parser.add_argument("--allowed-hosts", required=True, help="names that clients may call the server by")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 inside a container alone")
    parser.add_argument("--port", default="5000")
    return parser.parse_args(args)


def server_options(options: Namespace) -> list[str]:
    """MLflow's arguments."""
    where = ["--host", options.host, "--port", options.port, "--allowed-hosts", options.allowed_hosts]
    return ["--app-name", "basic-auth", "--workers", "1", *where, "--artifacts-destination", options.artifacts]


def read_secret(folder: Path, name: str) -> str:
    """A secret's text.

    Raises:
        ValueError: if there is no such file, or nothing in it.
    """
    path = folder / name
    secret = path.read_text().strip() if path.is_file() else ""
    if not secret:
        raise ValueError(f"expected a secret in {path}, got none; make it as the cluster's files say")
    return secret


def with_password(database: str, password: str) -> str:
    """The URL of a database with the password in its place."""
    parts = urlsplit(database)
    if not parts.username or parts.password:
        raise ValueError("expected a database URL with a user and without a password, got another; write it so")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}").geturl()


def write_auth_config(database: str) -> str:
    """Tell MLflow, in a file that only this user reads, to keep its users in the same database; returns the path."""
    lines = [
        "[mlflow]",
        "default_permission = READ",
        f"database_uri = {database.replace('%', '%%')}",
        f"auth_cache_ttl_seconds = {AUTH_CACHE_S}",
    ]
    handle, path = tempfile.mkstemp(prefix="basic_auth_", suffix=".ini")
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines))
    return path


if __name__ == "__main__":
    main()
