"""The settings of `magic models`: one dataclass for each of its commands. Imports nothing heavy."""

from dataclasses import dataclass, field

from tyro.conf import Positional

from cluster.connection import ClusterConfig
from cluster.tracking.aliases import check_alias
from magic.checks import require, require_plain_name
from magic.options import check_values

WHY_CHARS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsListConfig:
    """A table of the registered models, the newest version of each name first."""

    pattern: Positional[str] = "*"
    """Names to list, with * and ? as in file names; all, if left out."""
    tag: tuple[str, ...] = ()
    """Only versions with all of these tags, each as key=value: steps=2000, style_digest=..., code_version=..."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        for given in self.tag:
            require("=" in given[1:], "tags as key=value", given, "write --tag steps=2000, for one")

    @property
    def tags(self) -> dict[str, str]:
        """The tags by their keys."""
        pairs = [given.partition("=") for given in self.tag]
        return {key: value for key, _, value in pairs}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsShowConfig:
    """Where a model, or a poster, comes from: run, settings, measures, pictures, code and promotions."""

    what: Positional[str]
    """models:/NAME@ALIAS or models:/NAME/VERSION; NAME alone, which means its alias current; or the URL of a poster's
    folder."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsPromoteConfig:
    """Move an alias to a version, and record why."""

    model: Positional[str]
    """The version that gets it: models:/NAME/VERSION or models:/NAME@ALIAS."""
    alias: str
    """The alias: prod, for one. Jobs that name a model by it use this version from then on."""
    why: str
    """The reason, kept with the version and in the model's history."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        check_alias(self.alias)
        require(bool(self.why.strip()), "a reason (--why)", self.why, "say what speaks for this version")
        require(len(self.why) <= WHY_CHARS, f"a reason of at most {WHY_CHARS} characters", len(self.why), "shorten it")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsCompareConfig:
    """Measures of models side by side, the settings in which they differ, and their sample sheets."""

    models: Positional[tuple[str, ...]]
    """Two or more: models:/NAME/VERSION, models:/NAME@ALIAS or NAME."""
    sheet: str | None = None
    """URL of a PNG that gets their sample sheets, side by side."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        require(
            len(self.models) >= 2, "two models or more", list(self.models), "name another, or use magic models show"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsExportConfig:
    """Copy a version, with all that is known of it, to a folder on any storage."""

    model: Positional[str]
    """models:/NAME/VERSION, models:/NAME@ALIAS or NAME."""
    to: Positional[str]
    """URL of the folder. The same command again completes it."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsImportConfig:
    """Register an exported version in another registry, or under another name. Doing so again changes nothing."""

    folder: Positional[str]
    """URL of the folder that `magic models export` wrote."""
    name: str
    """Of the registered model."""
    alias: str | None = None
    """Alias that the version takes over. Left out: none."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        require_plain_name(self.name)
        if self.alias is not None:
            check_alias(self.alias)
