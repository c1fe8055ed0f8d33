"""Environment variables that configure Ray, MLflow and botocore, here and on the cluster. Imports nothing heavy."""

import os
from pathlib import Path

SUBMITTED_VARIABLE = "MAGIC_SUBMITTED"
"""Is set in the processes of a submitted job, to the job's name."""
DRIVER_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Ray Data gives a stage without input up after ten minutes instead of thirty. Less time would end a training whose
    # single steps take minutes.
    "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "600",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Variables of the process that runs a command, and of the Ray processes that the cluster files start."""
WORKER_VARIABLES = {
    # botocore, and s3fs above it, repeats a request that was throttled or lost its connection. The intervals grow up to
    # 20 s; twelve attempts take more than a minute.
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "12",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Variables that workers on other machines need as well. None is secret: whoever lists Ray's jobs sees them."""

NO_HOME = "/nonexistent"
"""The home folder of a user who has none, as Debian calls it. MLflow cannot be imported without one. Nobody can put
settings or credentials there, which a temporary folder would not hold against other users."""
TOKEN_FILE = Path(".ray") / "auth_token"
"""Path below the home folder of the cluster's token. Ray reads it if neither of the two variables is set."""
TOKEN_VARIABLE, TOKEN_PATH_VARIABLE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
AUTH_MODE_VARIABLE = "RAY_AUTH_MODE"


def prepare() -> None:
    """Set all these variables in this process, except those that the user has set.

    Call it before Ray is imported, because Ray reads some of them during its import. Token authentication is switched
    on where the user has a token. A user without a home folder, as containers have them, gets NO_HOME.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib fails where there is no home
        os.environ["HOME"] = NO_HOME
    for name, value in {**DRIVER_VARIABLES, **WORKER_VARIABLES}.items():
        os.environ.setdefault(name, value)
    has_token = os.environ.get(TOKEN_VARIABLE) or os.environ.get(TOKEN_PATH_VARIABLE)
    if has_token or (Path.home() / TOKEN_FILE).exists():
        os.environ.setdefault(AUTH_MODE_VARIABLE, "token")


def worker_variables() -> dict[str, str]:
    """The variables for workers on other machines, with the values that they have in this process."""
    return {name: os.environ.get(name, value) for name, value in WORKER_VARIABLES.items()}
