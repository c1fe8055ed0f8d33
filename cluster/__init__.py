"""Where commands run: Ray, the cluster's job server, MLflow, and the files that start a cluster.

This package alone starts or joins Ray, submits commands to a job server and reads and writes an MLflow store. It also
knows the version of the running code. `tracking` holds what concerns MLflow, `files`
writes the files for Kubernetes, AWS and Docker Compose. It imports Ray, MLflow and PyYAML, but neither torch nor
`pipelines` or `jobs`, and of `magic` only what takes credentials out of texts: it knows no model and no command of the
project. `jobs` and the benchmarks import it.
`connection`, `environment` and `files.files_config` import the standard library alone, because `magic --help` loads
them. Private names of Ray are imported in `private_ray`, those of MLflow in `tracking.private_mlflow`.
"""
