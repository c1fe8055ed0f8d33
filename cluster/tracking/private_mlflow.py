"""Every private name of MLflow that `cluster` uses, each with its reason and the public API that would replace it.

MLflow does not document the modules below mlflow.utils, and no other module of `cluster` imports from them. A new
release may move or change these names without notice; tests/cluster/tracking/test_private_mlflow.py then fails and says
which.
"""

from mlflow.utils.async_logging.run_operations import RunOperations
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

PendingWrite = RunOperations
"""What MlflowClient.log_batch(..., synchronous=False) returns: entries that MLflow writes in the background.

Needed: as the type of what a run's log keeps until it waits for it. Public replacement: the same class under a public
name. The public mlflow.flush_async_logging() is none: it waits for the global store, not for that of a client.
"""

GIT_COMMIT_TAG: str = MLFLOW_GIT_COMMIT
"""Tag of a run that holds the git commit of its code; MLflow's pages show it as the version of the source.

Needed: MLflow sets this tag only for runs that are started by mlflow.start_run; ours are started by a client. Public
replacement: a public constant; the documentation lists the tag only by its text, mlflow.source.git.commit.
"""
