"""`magic cluster render`: one config -> the files that start a cluster."""

import shlex
from pathlib import Path

from cluster.files.targets import render, steps
from cluster.files.text import MARK
from jobs.settings.cluster_config import RenderClusterConfig
from magic.checks import printable
from pipelines.storage.outputs import local_folder


def cluster(config: RenderClusterConfig) -> list[Path]:
    """Write a target's files and say what to type next; returns their paths.

    Raises:
        ValueError: if the config lacks what the target needs, or a file there is not one of ours. Nothing is written.
        OSError: if a file cannot be written.
    """
    folder = local_folder(config.out)
    files = {folder / name: text for name, text in render(config.target, config.files).items()}
    check_ours(list(files))
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text)
        print(f"wrote {printable(str(path))}")
    print("\nNext, type:\n")
    print("\n".join([f"cd {shlex.quote(str(folder))}", *steps(config.target, config.files)]))
    return list(files)


def check_ours(paths: list[Path]) -> None:
    """Refuse to write over what somebody else wrote.

    Raises:
        ValueError: for a file that does not begin as ours do.
    """
    for path in paths:
        if path.exists() and not path.read_text().startswith(MARK):
            raise ValueError(f"expected a file of ours or none at {path}, got another's; move it, or change --out")
