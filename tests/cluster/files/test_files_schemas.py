import copy

import pytest

from tests.cluster.files import schema_checks
from tests.cluster.files.private_ray_launcher import prepare_config, validate_config
from tests.cluster.files.rendered import LOCAL, PLAIN, RICH, kubernetes_objects, launcher, project, ray_cluster


@pytest.mark.parametrize("config", [PLAIN, RICH])
def test_kubernetes_files_obey_the_published_schemas(config):
    objects = kubernetes_objects(config)
    assert {tree["kind"] for tree in objects} >= {"RayCluster", "RayJob"}
    for tree in objects:
        assert schema_checks.faults(schema_checks.for_object(tree), tree) == []


@pytest.mark.parametrize("config", [PLAIN, RICH, LOCAL])
def test_compose_files_obey_the_published_schema(config):
    assert schema_checks.faults(schema_checks.compose(), project(config)) == []


def test_launcher_files_obey_the_schema_in_rays_wheel_and_rays_own_checks():
    assert schema_checks.faults(schema_checks.launcher(), launcher()) == []
    prepared = prepare_config(launcher())
    validate_config(prepared)
    assert prepared["head_start_ray_commands"] == launcher()["head_start_ray_commands"]
    assert not any("pip" in command for command in prepared["head_setup_commands"] + prepared["worker_setup_commands"])


def change(tree, path, value):
    """A copy with one value changed, or with one key gone."""
    changed = copy.deepcopy(tree)
    *parents, last = path
    node = changed
    for key in parents:
        node = node[key]
    if value is KeyError:
        del node[last]
    else:
        node[last] = value
    return changed


GROUP = ("spec", "workerGroupSpecs", 0)
POD = ("template", "spec")
CONTAINER = (*POD, "containers", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "headGroupSpec"), KeyError),
        (("spec", "headGroupSpecs"), {}),
        (("spec", "authOptions", "mode"), "tokens"),
        (("spec", "autoscalerOptions", "idleTimeoutSecond"), 60),
        ((*GROUP, "maxReplicas"), "4"),
        ((*GROUP, "groupName"), KeyError),
        (("spec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        ((*GROUP, *CONTAINER, "resource"), {}),
        ((*GROUP, *CONTAINER, "env", 0, "valueFrom"), {"secretRef": {"name": "x"}}),
        ((*GROUP, *CONTAINER, "resources", "limits", "cpu"), "eight"),
        ((*GROUP, *POD, "tolerations"), [{"key": 1}]),
        (("kind",), "RayClusters"),
    ],
)
def test_the_strict_schema_of_a_raycluster_catches(path, value):
    broken = change(ray_cluster(), path, value)
    assert schema_checks.faults(schema_checks.crd("RayCluster"), broken)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "containers", 0, "livenessprobe"), {}),
        (("spec", "replicas"), "one"),
        (("spec", "selector"), KeyError),
        (("apiVersion",), "apps/v2"),
    ],
)
def test_the_strict_schema_of_a_deployment_catches(path, value):
    deployment = next(tree for tree in kubernetes_objects() if tree["kind"] == "Deployment")
    assert schema_checks.faults(schema_checks.kubernetes("Deployment"), change(deployment, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "gpu", "shm-size"), "1gb"),
        (("services", "head", "ports"), "8265"),
        (("services", "gpu", "deploy", "resources", "reservations", "devices", 0, "capabilities"), KeyError),
        (("service",), {}),
    ],
)
def test_the_schema_of_compose_catches(path, value):
    assert schema_checks.faults(schema_checks.compose(), change(project(), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("provider",), KeyError),
        (("max_worker",), 4),
        (("docker", "run_options"), "--env=A=B"),
        (("available_node_types", "gpu", "node_config"), KeyError),
        (("available_node_types", "head", "resources", "CPU"), "none"),
    ],
)
def test_the_schema_of_the_launcher_catches(path, value):
    assert schema_checks.faults(schema_checks.launcher(), change(launcher(), path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("head_node_type",), "heads", "must be one of"),
        (("max_workers",), 0, "max_workers"),
    ],
)
def test_rays_own_checks_catch_what_its_schema_does_not(path, value, message):
    with pytest.raises(ValueError, match=message):
        validate_config(prepare_config(change(launcher(), path, value)))


def test_the_launcher_names_its_head_among_its_node_types():
    # Ray fills a missing head_node_type from its defaults, whose name is not among ours
    assert launcher()["head_node_type"] in launcher()["available_node_types"]
    with pytest.raises(ValueError, match="head_node_type"):
        validate_config(prepare_config(change(launcher(), ("head_node_type",), KeyError)))
