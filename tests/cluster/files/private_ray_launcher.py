"""The private names of Ray that the tests of cluster files use. tests/cluster/test_private_ray.py looks for them."""

from ray.autoscaler._private.util import prepare_config, validate_config

__all__ = ["prepare_config", "validate_config"]
"""What `ray up` does with a launcher's file before it starts machines: fill in the defaults, then refuse mistakes.

Needed: Ray's own schema allows files that `ray up` refuses. Public replacement: a check of a file without starting
machines, in ray.autoscaler.sdk or as an option of `ray up`; there is none in Ray 2.60.
"""
