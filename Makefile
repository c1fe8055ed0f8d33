.PHONY: demo test test-cluster check format clean
PYTHON ?= python3
BIN := .venv/bin
export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true

# The environment: made anew when what it is made from has changed
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev,server]'
	touch $@

# Train a tiny model on the pictures in demo/, register it and render a poster with it into out/
demo: .venv/ready
	$(BIN)/magic train demo --out out/runs $(DEMO_CLUSTER)
	$(BIN)/magic poster --model models:/magic-demo@current --content demo/content/astronaut.jpg --width 1026 \
		--templates 12 --seed 1 --formats png viewer --also labels --sheet --out out/poster $(DEMO_CLUSTER)
	@echo
	@echo "The poster:          out/poster/poster.png"
	@echo "Zoom in, ask pieces: out/poster/viewer/index.html"
	@echo "All at a glance:     out/poster/sheet.png"
	@echo "The training run:    $(BIN)/mlflow ui --backend-store-uri sqlite:///out/mlflow.db   then open http://127.0.0.1:5000"
DEMO_CLUSTER := --cluster.tracking-uri sqlite:///out/mlflow.db --cluster.artifacts out/mlruns

test: .venv/ready
	$(BIN)/pytest --ignore tests/test_cluster.py

# A cluster with an S3 server and an MLflow server on this machine, and what becomes of jobs when parts of it fail
test-cluster: .venv/ready
	$(BIN)/pytest tests/test_cluster.py

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv out
