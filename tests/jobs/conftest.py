"""Two registries, and a model in one of them."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from cluster import tracking
from cluster.config import ClusterConfig
from jobs.models_config import (
    ModelsExportConfig,
)
from jobs.models_export import models_export
from tests.jobs.registered import registered


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> ClusterConfig:
    folder = tmp_path_factory.mktemp("registry")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def client(cluster) -> MlflowClient:
    return tracking.open_store(cluster)


@pytest.fixture(scope="module")
def city(client, cluster):
    """A registered model that no test changes."""
    return registered(client, cluster, "city")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> ClusterConfig:
    """Another registry."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def exported(cluster, city, tmp_path_factory) -> Path:
    return Path(models_export(ModelsExportConfig(model="city", to=str(tmp_path_factory.mktemp("x")), cluster=cluster)))
