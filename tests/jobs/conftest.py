"""Two registries and a model in one of them; and a poster's model and settings."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cluster.connection import ClusterConfig
from cluster.tracking import runs
from jobs.models.transfer import models_export
from jobs.settings.models_config import ModelsExportConfig
from magic.networks.packed import save_generator
from pipelines.posters.finished_poster import FinishedPoster
from tests.conftest import random_generator
from tests.jobs.models.registered import registered
from tests.jobs.posters.small_poster import small_poster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> ClusterConfig:
    folder = tmp_path_factory.mktemp("registry")
    return ClusterConfig(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture(scope="module")
def client(cluster) -> MlflowClient:
    return runs.open_store(cluster)


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


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_generator(folder, random_generator(3))
    return folder


@pytest.fixture
def config(model, pictures, tmp_path):
    return lambda **changes: replace(small_poster(model, pictures, tmp_path / "poster"), **changes)


@pytest.fixture(scope="module")
def large(make_poster) -> FinishedPoster:
    """A poster that takes long enough to export for something to happen meanwhile."""
    return make_poster(1500, 1500)
