"""Programs that measure. Each is run as `python -m benchmarks.NAME`, and says in its docstring what it writes where."""

from cluster.environment import prepare

prepare()  # before any of them imports Ray
