"""Canary tests: each fails with a clear sentence if a release of MLflow moves or changes a private name that we use."""

import inspect

import mlflow
from mlflow import MlflowClient

from tests.private_names import private_name

USER = "cluster/tracking/private_mlflow.py"
RELEASE = f"mlflow {mlflow.__version__}"


def test_mlflow_has_the_type_of_a_write_in_the_background():
    module = "mlflow.utils.async_logging.run_operations"
    write = private_name("mlflow", module, "RunOperations", user=USER)
    returned = inspect.signature(MlflowClient.log_batch).return_annotation
    assert returned == write | None, f"MlflowClient.log_batch of {RELEASE} returns {returned}: change {USER}"
    assert callable(getattr(write, "wait", None)), f"RunOperations of {RELEASE} has no method wait: change {USER}"


def test_mlflow_has_the_tag_of_the_commit():
    tag = private_name("mlflow", "mlflow.utils.mlflow_tags", "MLFLOW_GIT_COMMIT", user=USER)
    assert tag == "mlflow.source.git.commit", f"{RELEASE} names the tag of the commit {tag}: change {USER}"
