"""What the libraries are told by environment variables, in this process and in those of the cluster."""

import os
from pathlib import Path

SUBMITTED = "MAGIC_SUBMITTED"
"""Is set where a command runs as a submitted job."""
HERE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # a starved stage fails in ten minutes, not in thirty; less would end a training whose single steps are long
    "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "600",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
EVERYWHERE = {
    # botocore, and with it s3fs, asks again after a lost connection or a throttled request, at growing intervals of
    # up to 20 s, for a minute and more
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "12",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What workers on other machines need, too. None of it is secret: jobs show it."""


TOKEN_FILE = Path(".ray") / "auth_token"
"""Below the home: where Ray looks for the cluster's token last."""
TOKEN, TOKEN_PATH, AUTH_MODE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"


def prepare() -> None:
    """Set all of it, but for what the user has set. Ray reads its part when it is imported: call this before."""
    for name, value in {**HERE, **EVERYWHERE}.items():
        os.environ.setdefault(name, value)
    if os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH) or (Path.home() / TOKEN_FILE).exists():
        os.environ.setdefault(AUTH_MODE, "token")


def for_workers() -> dict[str, str]:
    """The part that workers need, as it is set here."""
    return {name: os.environ.get(name, value) for name, value in EVERYWHERE.items()}
