"""The settings of every command, as dataclasses, and the named recipes to start a training from.

Imports nothing heavy (no torch, ray, mlflow, numpy, fsspec), so that --help is instant: import-linter holds it. The
commands in `jobs` import it.
"""
