"""An MLflow server on loopback with basic authentication, that can be stopped and started again."""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers.processes import answers, end, free_port, start, wait_until

USER, PASSWORD = "studio", "mlflow-password-7c41d9"
"""Those of the administrator. Tests look for the password in whatever is logged and written."""
AUTH = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


class MlflowServer:
    """The server. What it was told stays in a folder; artifacts go where it is told."""

    def __init__(self, folder: Path, artifacts: str, environment: dict[str, str]) -> None:
        """Choose a port.

        Args:
            folder: for its databases and log.
            artifacts: URL of the place that its clients' files go to, through the server.
            environment: credentials for that place.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.artifacts, self.port = folder, artifacts, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._process: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What clients need to know."""
        return {
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        }

    def start(self) -> None:
        """Start it; returns when it answers."""
        config = self.folder / "auth.ini"
        config.write_text(AUTH.format(folder=self.folder, user=USER, password=PASSWORD))
        config.chmod(0o600)
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1", "--artifacts-destination", self.artifacts]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        own = {
            "MLFLOW_AUTH_CONFIG_PATH": str(config),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-these-tests-alone",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        log = self.folder / "server.log"
        self._process = start(command, log, env={**os.environ, **self._environment, **own})
        wait_until(lambda: answers(f"{self.url}/health"), "mlflow server", log, self._process)

    def stop(self) -> None:
        """Stop it: who asks it anything finds nobody there. What it was told stays."""
        if self._process is not None:
            end(self._process)
