"""Canary tests: each fails with a clear sentence if a release of Ray moves or changes a private name that we use."""

import inspect
import logging
from importlib import import_module
from importlib.util import find_spec

import pytest
import ray
from ray._private import services

from tests.private_names import private_name

USER = "cluster/private_ray.py"
RELEASE = f"ray {ray.__version__}"


def test_ray_tells_how_far_a_cluster_may_grow():
    state = private_name("ray", "ray._private.state", "state", user=USER)
    name = "get_max_resources_from_cluster_config"
    method = getattr(state, name, None)
    assert callable(method), f"ray._private.state.state of {RELEASE} has no method {name}: change {USER}"
    parameters = inspect.signature(method).parameters
    assert not parameters, f"{name} of {RELEASE} has the new parameters {list(parameters)}: change {USER}"


def test_ray_can_be_told_where_its_sockets_are():
    is_option = '"_temp_dir"' in inspect.getsource(inspect.unwrap(ray.init))
    assert is_option, f"ray.init of {RELEASE} has no option _temp_dir: change {USER}"


def test_ray_has_the_switch_by_which_it_listens_at_loopback_alone():
    constants = private_name("ray", "ray._private", "ray_constants", user=USER)
    takes_loopback = "if not ray_constants.ENABLE_RAY_CLUSTER" in inspect.getsource(services.get_node_ip_address)
    is_there = hasattr(constants, "ENABLE_RAY_CLUSTER") and takes_loopback
    assert is_there, f"ray_constants of {RELEASE} has no ENABLE_RAY_CLUSTER any more: change {USER}"


def test_ray_is_told_the_command_line_by_the_function_that_we_replace():
    private_name("ray", "ray._private.utils", "get_entrypoint_name", user=USER)
    called = "ray._private.utils.get_entrypoint_name()" in inspect.getsource(import_module("ray._private.worker"))
    assert called, f"ray.init of {RELEASE} takes the command line from elsewhere: change {USER}"


def test_rays_verbose_loggers_have_the_names_that_we_silence():
    from cluster.private_ray import VERBOSE_LOGGERS  # here, so that the other tests run when this import fails

    for name in VERBOSE_LOGGERS:
        assert exists(name), f"{RELEASE} has no module {name}, whose logger we silence: change {USER}"
        import_module(name)
        is_logger = name in logging.Logger.manager.loggerDict
        assert is_logger, f"the module {name} of {RELEASE} logs under another name: change {USER}"


def exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is gone
        return False


@pytest.mark.parametrize("name", ["prepare_config", "validate_config"])
def test_rays_launcher_has_the_checks_that_our_tests_call(name):
    user = "tests/cluster/files/private_ray_launcher.py"
    assert callable(private_name("ray", "ray.autoscaler._private.util", name, user=user))
