"""Settings that name the Ray cluster and the MLflow store of a command. Imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterConfig:
    """Which Ray cluster and which MLflow store."""

    address: str | None = None
    """Address of a running Ray cluster, or "auto". Left out: RAY_ADDRESS, else a cluster of this machine alone."""
    tracking_uri: str | None = None
    """MLflow tracking server or database. Left out: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db here."""
    artifacts: str | None = None
    """Where a new experiment keeps its artifacts, for a database without a server. Left out: ./mlruns."""
