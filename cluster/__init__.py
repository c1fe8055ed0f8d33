"""Where it runs: Ray, MLflow tracking and the model registry."""
