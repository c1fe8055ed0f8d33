"""What the files of all targets have in common: how they are written, and how secrets come to be."""

from collections.abc import Iterable
from typing import Any

import yaml

from cluster.files_config import ClusterFilesConfig

Tree = dict[str, Any]
MARK = "# Made by `magic cluster render`"
"""How each file begins; one that begins otherwise is somebody else's."""
SERVER_SECRETS = ("database_password", "admin_password", "flask_secret_key")
"""Files that the MLflow server reads its secrets from, see cluster.tracking.server."""
GITIGNORE = f"{MARK}: the secrets stay here\nsecrets/\n"


class Dumper(yaml.SafeDumper):
    """Writes equal parts out wherever they occur, instead of anchors and aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def document(purpose: str, commands: Iterable[str], *objects: Tree) -> str:
    """A YAML file of one object or several, below a comment: what it is, and what to type."""
    lines = [f"{MARK}: {purpose}", "# Change it by rendering it anew. In this folder, type:", "#"]
    header = "\n".join([*lines, *(f"#   {command}" for command in commands)])
    body = "---\n".join(yaml.dump(tree, Dumper=Dumper, sort_keys=False, width=1000) for tree in objects)
    return f"{header}\n\n{body}"


def make_image(image: str, *, push: bool) -> str:
    """A command that makes the image, in the folder of the Dockerfile."""
    build = f"docker build --tag {image} REPOSITORY"
    return f"{build} && docker push {image}" if push else build


def make_secrets(*names: str) -> list[str]:
    """Commands that draw secrets into files, once, for nobody else to read."""
    each = f"for name in {' '.join(names)}; do"
    return [
        "umask 077; mkdir -p secrets",
        f"{each} [ -s secrets/$name ] || openssl rand -hex 32 | tr -d '\\n' > secrets/$name; done",
    ]


def require_bucket(target: str, config: ClusterFilesConfig) -> None:
    """Refuse a folder of one machine where there are many.

    Raises:
        ValueError: if storage is no bucket.
    """
    if not config.storage.startswith("s3://"):
        raise ValueError(f"expected storage as s3://bucket/folder for {target}, got {config.storage!r}; write it so")
