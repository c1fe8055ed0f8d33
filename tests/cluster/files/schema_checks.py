"""Validators made from published schemas; the tests of cluster files use them."""

import gzip
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml
from jsonschema import Draft7Validator, Draft202012Validator

SCHEMAS = Path(__file__).parent / "schemas"
CRDS = {"RayCluster": "ray.io_rayclusters.yaml.gz", "RayJob": "ray.io_rayjobs.yaml.gz"}
KUBERNETES = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "StatefulSet": "io.k8s.api.apps.v1.StatefulSet",
    "Service": "io.k8s.api.core.v1.Service",
    "NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
}


@cache
def crd(kind: str) -> Draft202012Validator:
    """KubeRay's definition of a kind, strict: Kubernetes drops what it does not know, which hides typing errors."""
    with gzip.open(SCHEMAS / CRDS[kind]) as file:
        definition = yaml.load(file, Loader=yaml.CSafeLoader)
    version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes checks it by itself
    schema["properties"]["apiVersion"]["const"] = "ray.io/v1"
    schema["properties"]["kind"]["const"] = kind
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return Draft202012Validator(schema)


def strict(schema):
    """OpenAPI as Kubernetes writes it -> JSON schema that allows nothing it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {key: strict(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        tight.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        tight |= {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    return tight


@cache
def kubernetes(kind: str) -> Draft202012Validator:
    """Kubernetes' own definition of a kind, strict."""
    with gzip.open(SCHEMAS / "kubernetes-1.35.json.gz") as file:
        definitions = json.load(file)
    return Draft202012Validator({"$ref": f"#/$defs/{KUBERNETES[kind]}", **definitions})


@cache
def compose() -> Draft202012Validator:
    """The Compose specification."""
    with gzip.open(SCHEMAS / "compose-spec.json.gz") as file:
        return Draft202012Validator(json.load(file))


@cache
def launcher() -> Draft7Validator:
    """Ray's launcher."""
    return Draft7Validator(json.loads((files("ray") / "autoscaler" / "ray-schema.json").read_text()))


def for_object(tree: dict):
    """The validator of a Kubernetes object."""
    return crd(tree["kind"]) if tree["kind"] in CRDS else kubernetes(tree["kind"])


def faults(validator, tree) -> list[str]:
    """What a validator objects to, each with its place."""
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(tree)
    ]
