"""A command line program as a cluster runs it: how it is called, and which packages hold its code."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program whose commands run on a cluster. Its owner, who submits the commands, describes it here."""

    name: str
    """What a user types before the arguments. Names of jobs begin with it."""
    launcher: str
    """The shell words that start the program in a folder that holds its packages."""
    packages: tuple[str, ...]
    """Import names of the packages that hold its code: the whole of what is copied to the cluster."""

    def command(self, args: Sequence[str]) -> str:
        """The command as a user types it."""
        return f"{self.name} {shlex.join(args)}"

    def entrypoint(self, args: Sequence[str]) -> str:
        """The command as the cluster's shell runs it."""
        return f"{self.launcher} {shlex.join(args)}"

    def command_of(self, entrypoint: str) -> str:
        """The command as a user types it, from what the cluster's shell runs."""
        return entrypoint.replace(self.launcher, self.name, 1)

    def copy_packages(self, folder: Path) -> None:
        """Copy the packages, as this process would import them, into a folder; compiled files are left out."""
        for package in self.packages:
            spec = find_spec(package)
            assert spec is not None, f"{package} cannot be imported"
            assert spec.submodule_search_locations, f"{package} is no package"
            source = Path(spec.submodule_search_locations[0])
            shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
