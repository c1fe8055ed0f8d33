"""Starts the MLflow server of a cluster: `python -m cluster.tracking.serve` turns into the server.

The server has basic authentication, keeps runs and users in PostgreSQL and has one worker process. Its secrets are read
from files, so that neither its arguments nor the settings of its container show them. MLflow takes the address of the
users' database from a file only; that file is written here.
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
"""How long MLflow remembers that a password was right. Checking one takes longer than most requests."""


def main(args: Sequence[str] | None = None) -> None:
    """Read the secrets and replace this process by MLflow's server.

    Raises:
        ValueError: if a secret is missing, or the database's address holds a password.
    """
    options = parse(args)
    database = with_password(options.database, read_secret(options.secrets, "database_password"))
    os.environ |= {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": write_auth_config(database),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": read_secret(options.secrets, "admin_password"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": read_secret(options.secrets, "flask_secret_key"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves a third of the memory and of the start's time
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *server_options(options)])  # noqa: S606


def parse(args: Sequence[str] | None) -> Namespace:
    """The options, none of which is secret."""
    parser = ArgumentParser(prog="cluster.tracking.serve", description=__doc__)
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
    """The options of `mlflow server`."""
    listening = ["--host", options.host, "--port", options.port, "--allowed-hosts", options.allowed_hosts]
    return ["--app-name", "basic-auth", "--workers", "1", *listening, "--artifacts-destination", options.artifacts]


def read_secret(folder: Path, name: str) -> str:
    """The text of a secret, which is a file in the folder.

    Raises:
        ValueError: if there is no such file, or it is empty.
    """
    path = folder / name
    secret = path.read_text().strip() if path.is_file() else ""
    if not secret:
        raise ValueError(f"expected a secret in {path}, got none; make it as the cluster's files say")
    return secret


def with_password(database: str, password: str) -> str:
    """The URL of a database, with the password behind the user's name.

    Raises:
        ValueError: if the URL has no user, or holds a password already. The error does not show the URL.
    """
    parts = urlsplit(database)
    if not parts.username or parts.password:
        raise ValueError("expected a database URL with a user and without a password, got another; write it so")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}").geturl()


def write_auth_config(database: str) -> str:
    """Write MLflow's configuration of basic authentication, which keeps the users in the same database.

    Returns:
        The path of a temporary file that only this user may read.
    """
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
