import re
from importlib.util import find_spec

import pytest

from cluster.files.targets import render
from tests.cluster.files.rendered import (
    LOCAL,
    PLAIN,
    RICH,
    cluster_specs,
    kubernetes_objects,
    launcher,
    nodes,
    pods,
    project,
    ray_cluster,
    trees,
)


def test_no_head_does_work():
    for spec in cluster_specs():
        assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    assert launcher()["available_node_types"]["head"]["resources"] == {"CPU": 0, "GPU": 0}
    for command in launcher()["head_start_ray_commands"][-1], project()["services"]["head"]["command"]:
        assert "--num-cpus=0 --num-gpus=0" in command


def test_a_jobs_own_process_runs_on_data_machines():
    job = trees("kuberay", PLAIN)["rayjob.yaml"][0]["spec"]
    gpu, data = job["rayClusterSpec"]["workerGroupSpecs"]
    assert job["entrypointResources"] == '{"driver": 1}'
    assert data["rayStartParams"] == {"resources": r'"{\"driver\": 4}"'}
    assert gpu["rayStartParams"] == {}
    types = launcher()["available_node_types"]
    assert [name for name, kind in types.items() if "driver" in kind["resources"]] == ["data"]


def test_tokens_are_asked_for_everywhere():
    assert [spec["authOptions"] for spec in cluster_specs()] == [{"mode": "token"}] * 2
    assert "--env=RAY_AUTH_MODE=token" in launcher()["docker"]["run_options"]
    assert "--env=RAY_AUTH_TOKEN_PATH=/home/magic/.ray/auth_token" in launcher()["docker"]["run_options"]
    assert "~/.ray/auth_token" in launcher()["file_mounts"]
    for name in "head", "gpu":
        service = project()["services"][name]
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_auth_token"
        assert "ray_auth_token" in service["secrets"]


def test_nothing_can_be_reached_from_outside():
    services = [tree for tree in kubernetes_objects() if tree["kind"] == "Service"]
    assert services
    assert {tree["spec"]["type"] for tree in services} == {"ClusterIP"}
    assert ray_cluster()["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert "--dashboard-host=127.0.0.1" in launcher()["head_start_ray_commands"][-1]
    ports = {name: service.get("ports", []) for name, service in project()["services"].items()}
    assert ports == {"head": ["127.0.0.1:8265:8265"], "gpu": [], "mlflow": ["127.0.0.1:5000:5000"], "database": []}


def admitted(policy, pod, port) -> bool:
    """Whether a policy of a namespace lets one of its pods, with these labels, reach a port."""
    return any(
        any(peer["podSelector"].get("matchLabels", {}).items() <= pod.items() for peer in rule["from"])
        for rule in policy["spec"]["ingress"]
        if port in [each["port"] for each in rule.get("ports", [{"port": port}])]
    )


def test_network_policies_let_in_those_who_belong_together():
    objects = kubernetes_objects()
    policies = {tree["metadata"]["name"]: tree for tree in objects if tree["kind"] == "NetworkPolicy"}
    pods_of = {tree["metadata"]["name"]: tree["spec"]["template"] for tree in objects if "template" in tree["spec"]}
    server, database = (pods_of[name]["metadata"]["labels"] for name in ("magic-mlflow", "magic-mlflow-database"))
    groups = [part for spec in cluster_specs() for part in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    ray, *others = [group["template"]["metadata"]["labels"] for group in groups]
    assert all(labels == ray for labels in others)
    stranger = {"app": "web"}
    selected = {name: policy["spec"]["podSelector"]["matchLabels"] for name, policy in policies.items()}
    assert selected == {"magic-ray": ray, "magic-mlflow": server, "magic-mlflow-database": database}
    assert all(policy["spec"]["policyTypes"] == ["Ingress"] for policy in policies.values())
    reached = {
        (name, port): [
            who for who, pod in (("ray", ray), ("server", server), ("other", stranger)) if admitted(policy, pod, port)
        ]
        for name, policy in policies.items()
        for port in (5000, 5432, 6379, 8265)
    }
    assert {place: who for place, who in reached.items() if who} == {
        ("magic-mlflow", 5000): ["ray"],
        ("magic-mlflow-database", 5432): ["server"],
        **{("magic-ray", port): ["ray"] for port in (5000, 5432, 6379)},
        ("magic-ray", 8265): ["ray", "server", "other"],  # with the token: who submits a job
    }
    operators = [peer for peer in policies["magic-ray"]["spec"]["ingress"][1]["from"] if "namespaceSelector" in peer]
    assert operators == [
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}}}
    ]


@pytest.mark.parametrize("config", [PLAIN, RICH, LOCAL])
def test_containers_of_compose_have_limits_and_no_capabilities(config):
    for name, service in project(config)["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert ("cap_add" in service) == (name == "database")
        assert service["security_opt"] == ["no-new-privileges:true"]
        most = service["deploy"]["resources"]["limits"]
        assert most["pids"] > 0
        assert re.fullmatch(r"[1-9]\d*g", most["memory"])
    assert project(config)["services"]["gpu"]["deploy"]["resources"]["limits"]["memory"] == f"{config.gpu.memory_gb}g"


def test_pods_run_without_rights():
    for tree in kubernetes_objects(RICH) + kubernetes_objects():
        for pod in pods(tree):
            assert pod["securityContext"]["runAsNonRoot"]
            for container in pod["containers"]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["resources"]["limits"] == container["resources"]["requests"]


def test_mlflow_asks_for_passwords_and_answers_to_its_own_names():
    for tree in next(t for t in kubernetes_objects() if t["kind"] == "Deployment"), project()["services"]["mlflow"]:
        command = next(node for path, node in nodes(tree) if path[-1:] == ("command",))
        assert command[:3] == ["python", "-m", "cluster.tracking.serve"]  # basic auth: see test_serve
        assert find_spec(command[2])
        hosts = next(option for option in command if option.startswith("--allowed-hosts="))
        assert re.search(r"(magic-)?mlflow:5000", hosts)
        assert "*," not in hosts


def test_a_server_that_is_there_is_used():
    assert "mlflow.yaml" not in render("kuberay", RICH)
    assert set(project(RICH)["services"]) == {"head", "gpu"}
    texts = [*render("kuberay", RICH).values(), *render("aws", RICH).values(), *render("compose", RICH).values()]
    assert sum("https://mlflow.example" in text for text in texts) == 4


def test_another_object_store_gets_the_older_checksums():
    for target in "kuberay", "aws", "compose":
        text = "".join(render(target, RICH).values())
        assert re.search(r"AWS_REQUEST_CHECKSUM_CALCULATION\W+(value: )?WHEN_REQUIRED", text)
    assert "CHECKSUM" not in "".join(render("kuberay", PLAIN).values())


def test_groups_are_as_large_as_the_config_says():
    gpu, data = ray_cluster(RICH)["spec"]["workerGroupSpecs"]
    assert (gpu["minReplicas"], gpu["maxReplicas"], data["minReplicas"], data["maxReplicas"]) == (1, 8, 0, 2)
    pod = gpu["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert "affinity" in pod
    types = launcher()["available_node_types"]
    assert launcher()["max_workers"] == types["gpu"]["max_workers"] + types["data"]["max_workers"] == 10
    assert types["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    devices = project(LOCAL)["services"]["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 4, "capabilities": ["gpu"]}]
