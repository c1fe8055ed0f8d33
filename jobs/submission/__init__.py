"""`magic submit` and `magic jobs`: commands that run on a cluster, and what has become of them.

May import `jobs.cli`, `jobs.commands`, `jobs.settings`, `pipelines`, `cluster` and `magic`; `jobs.commands` names its
functions.
"""
