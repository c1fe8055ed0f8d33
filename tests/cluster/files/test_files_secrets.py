import re
import shutil
import subprocess

import pytest

from cluster.files.targets import render, steps
from tests.cluster.files.rendered import EVERY, PLAIN, RICH, kubernetes_objects, nodes, project, trees


@pytest.mark.parametrize(("target", "config"), EVERY)
def test_no_file_holds_a_secret(target, config, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RAY_AUTH_TOKEN", "MLFLOW_TRACKING_PASSWORD":
        monkeypatch.setenv(name, f"canary-{name}")
    for name in ".ray/auth_token", ".aws/credentials", ".mlflow/credentials":
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("canary")
    text = "\n".join([*render(target, config).values(), *steps(target, config)])
    assert "canary" not in text
    for name, value in settings(target, config):
        if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY|CREDENTIAL", name):
            assert re.fullmatch(r"/\S+|\$\{\w+:\?export it\}", value), f"{name} is there in the open"
    assert not re.search(r"://[^/\s]+:[^/\s]+@", text)


def settings(target, config):
    """Environment variables with values, wherever they are."""
    for objects in trees(target, config).values():
        for path, node in nodes(objects):
            if isinstance(node, dict) and {"name", "value"} <= node.keys():
                yield node["name"], node["value"]
            elif path and path[-1] == "environment":
                yield from node.items()
            elif isinstance(node, str) and node.startswith("--env="):
                yield node.removeprefix("--env=").split("=", 1)


@pytest.mark.parametrize("config", [PLAIN, RICH])
def test_the_commands_make_every_secret_that_the_pods_look_up(config):
    made = "\n".join(steps("kuberay", config))
    wanted = set()
    for tree in kubernetes_objects(config):
        for path, node in nodes(tree):
            if path[-1:] == ("secretKeyRef",):
                wanted.add((node["name"], node["key"]))
            elif path[-1:] == ("secretRef",):
                wanted.add((node["name"], ""))
            elif path[-1:] == ("secret",):
                wanted |= {(node["secretName"], item["key"]) for item in node["items"]}
    assert wanted
    for name, key in wanted:
        assert re.search(rf"secret generic {name} .*{key}", made), f"{name}/{key}"


def test_compose_has_a_file_for_every_secret_and_the_commands_make_it():
    made = "\n".join(steps("compose", PLAIN))
    named = set(project()["secrets"])
    for service in project()["services"].values():
        assert {secret if isinstance(secret, str) else secret["source"] for secret in service["secrets"]} <= named
    for name in named:
        assert re.search(rf"\b{name}\b", made)
    assert "secrets/" in render("compose", PLAIN)[".gitignore"].splitlines()


def test_the_commands_are_shell():
    for target, config in EVERY:
        script = "\n".join(steps(target, config)).replace("FILE", "file")
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert checked.stderr == ""


def test_the_secrets_commands_make_secrets_that_nobody_else_reads_and_keep_them(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    commands = [step for step in steps("compose", PLAIN) if "secrets" in step and "install" not in step]
    first, made = (run_in(tmp_path, commands) for _ in range(2))
    assert made == first
    assert set(made) == set(project()["secrets"])
    assert re.fullmatch("[0-9a-f]{64}", made["ray_auth_token"])
    assert len(set(made.values())) == len(made)
    assert made["admin_password"] in made["mlflow_credentials"]
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0


def run_in(folder, commands) -> dict[str, str]:
    """The secrets there are after the commands."""
    subprocess.run(["bash", "-e"], input="\n".join(commands), text=True, cwd=folder, check=True)
    return {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
