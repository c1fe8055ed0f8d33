"""Writes the text of the files: YAML below a comment that tells what the file is and which commands to type."""

from collections.abc import Iterable
from typing import Any

import yaml

Tree = dict[str, Any]
"""A YAML mapping, with mappings, lists and scalars inside."""
MARK = "# Made by `magic cluster render`"
"""The beginning of each rendered file. A file that begins otherwise is the user's own and is never overwritten."""
GITIGNORE = f"{MARK}: the secrets stay here\nsecrets/\n"


class PlainDumper(yaml.SafeDumper):
    """Writes a value that occurs twice out twice, instead of as an anchor and an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def document(purpose: str, commands: Iterable[str], *objects: Tree) -> str:
    """The text of a YAML file.

    Args:
        purpose: what the file describes; part of the comment at its beginning.
        commands: what to type in the file's folder; part of the same comment.
        objects: the YAML documents of the file.
    """
    lines = [f"{MARK}: {purpose}", "# Change it by rendering it anew. In this folder, type:", "#"]
    header = "\n".join([*lines, *(f"#   {command}" for command in commands)])
    body = "---\n".join(yaml.dump(tree, Dumper=PlainDumper, sort_keys=False, width=1000) for tree in objects)
    return f"{header}\n\n{body}"
