"""MLflow: runs, the model registry, promotions, and the process that serves both on a cluster.

The modules import MLflow and the parts of `cluster` that know addresses, credentials and the version of the code; they
import neither Ray nor any model. `jobs` imports them, mostly `runs` and `registry`. `serve` is imported by nobody: the
containers of a cluster start it by `python -m cluster.tracking.serve`. `private_mlflow` is the only module that imports
private names of MLflow.
"""
