"""The model registry: registers folders of files as versions of a model, finds versions and downloads their files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from cluster.tracking.aliases import check_alias
from cluster.tracking.store_errors import is_not_there, reason_of
from magic.redaction import redact, redacted

PREFIX = "models:/"
CURRENT = "current"
"""The alias that training moves, and that a model's name without alias or version stands for."""
DIGEST = "digest"
"""Tag of a version: SHA-256 of its model. It is the same in every registry that has the model."""
FOLDER = "generator"
"""Folder of a run's artifacts that holds the models it registered, each in a folder named by the digest's beginning."""
CARD = "card.md"
"""File of a version that describes it to readers."""
MAX_DESCRIPTION_CHARS = 2000
"""MLflow's databases hold 5000."""
MAX_LISTED = 20
"""Names, versions or aliases that an error lists."""
PAGE_SIZE = 200
"""Entries that a search fetches at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """One version of a registered model."""

    name: str
    version: str
    run_id: str
    """The run that registered it; empty if it was registered without one."""
    source: str
    """URI of the folder that holds its files."""
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    """The aliases that name this version, in alphabetical order."""
    created: datetime
    """UTC."""
    status: str
    """READY, once MLflow has registered it."""

    @property
    def uri(self) -> str:
        """models:/NAME/VERSION, which names this version forever, unlike an alias."""
        return f"{PREFIX}{self.name}/{self.version}"

    @property
    def digest(self) -> str | None:
        """SHA-256 of its model, or None if it was registered without this tag."""
        return self.tags.get(DIGEST)


def register(
    client: MlflowClient,
    folder: Path,
    *,
    name: str,
    run_id: str,
    tags: Mapping[str, str],
    alias: str | None = None,
) -> ModelVersion:
    """Register a folder as the next version of a model, unless this run has registered the same model before.

    Models are the same if their digests are. The folder's card, if it has one, becomes the version's description.

    Args:
        client: of the registry.
        folder: local folder of the model's files.
        name: of the registered model. A model of that name is created if there is none.
        run_id: of the run that trained or imported the model; it keeps the files.
        tags: of the version; "digest" must be among them.
        alias: an alias that this version takes over.

    Returns:
        The version, new or registered before.

    Raises:
        ValueError: for an alias that MLflow does not allow.
    """
    versions = find_digest(client, tags[DIGEST], name)
    version = next((version for version in versions if version.run_id == run_id), None)
    if version is None:
        version = _create_version(client, folder, name, run_id, tags)
    if alias:
        set_alias(client, version, alias)
    return find(client, version.uri)


def _create_version(
    client: MlflowClient, folder: Path, name: str, run_id: str, tags: Mapping[str, str]
) -> ModelVersion:
    """Copy a model's files to its run and register them."""
    path = f"{FOLDER}/{tags[DIGEST][:16]}"  # by digest: a run that is resumed keeps the files of earlier versions
    client.log_artifacts(run_id, str(folder), artifact_path=path)
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/{path}"
    return _version(
        client.create_model_version(name, source, run_id, tags=redact(dict(tags)), description=_card(folder))
    )


def set_alias(client: MlflowClient, entry: ModelVersion, alias: str) -> None:
    """Move an alias to a version.

    Raises:
        ValueError: for an alias that MLflow does not allow.
    """
    check_alias(alias)
    client.set_registered_model_alias(entry.name, alias, entry.version)


def _card(folder: Path) -> str | None:
    """The beginning of a folder's card, as much as a description holds; None without a card."""
    card = folder / CARD
    return card.read_text()[:MAX_DESCRIPTION_CHARS] if card.exists() else None


def _version(version: MlflowVersion, aliases: Sequence[str] = ()) -> ModelVersion:
    """Our record of MLflow's; `aliases` are for a version from a search, which comes without them."""
    return ModelVersion(
        name=version.name,
        version=str(version.version),
        run_id=version.run_id or "",
        source=version.source or "",
        tags=dict(version.tags),
        aliases=tuple(sorted(aliases or version.aliases)),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        status=version.status,
    )


def find(client: MlflowClient, uri: str) -> ModelVersion:
    """The version that models:/NAME@ALIAS or models:/NAME/VERSION names.

    Raises:
        ValueError: if the URI has another form, or there is no such model, alias or version.
        MlflowException: if the store refuses to say.
    """
    match = re.fullmatch(r"models:/([^@/]+)(?:@([^@/]+)|/(\d{1,9}))", uri, re.ASCII)
    if match is None:
        raise ValueError(f"expected models:/NAME@ALIAS or models:/NAME/VERSION, got {uri[:300]!r}; write it so")
    name, alias, version = match.groups()
    try:
        entry = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
    except MlflowException as error:
        if not is_not_there(error):
            raise
        raise ValueError(
            f"expected a registered model, got {uri[:300]!r}, which is not there: {reason_of(error)}; "
            f"{_what_there_is(client, name)}"
        ) from error
    return _version(entry)


def _what_there_is(client: MlflowClient, name: str) -> str:
    """The versions of a model, or, where there is no such model, the names of those that there are."""
    aliases = _aliases(client)
    if name not in aliases:
        return f"registered are: {_listed(sorted(aliases))}"
    versions = [str(entry.version) for entry in _pages(client.search_model_versions) if entry.name == name]
    named = [
        version + "".join(f" @{alias}" for alias in sorted(aliases[name].get(version, ())))
        for version in sorted(versions, key=int, reverse=True)
    ]
    return f"versions of {name}: {_listed(named)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more or "none"


def find_digest(client: MlflowClient, digest: str, name: str | None = None) -> list[ModelVersion]:
    """All versions with a digest, the newest first. Without a name, those of all registered models."""
    filter_string = f"tags.{DIGEST} = '{digest}'" + (f" and name = '{name}'" if name else "")
    aliases = _aliases(client)
    versions = [_with_aliases(version, aliases) for version in _pages(client.search_model_versions, filter_string)]
    return sorted(versions, key=lambda version: version.created, reverse=True)


def search(client: MlflowClient, pattern: str = "*", tags: Mapping[str, str] | None = None) -> list[ModelVersion]:
    """All versions whose names match a pattern and that have all the given tags.

    Args:
        client: of the registry.
        pattern: of the model's name, with * and ? as in file names.
        tags: tags that a version must have, with the same values.

    Returns:
        The versions, by name; of each name the newest first.
    """
    aliases, required_tags = _aliases(client), dict(tags or {}).items()
    versions = [
        _with_aliases(version, aliases)
        for version in _pages(client.search_model_versions)
        if fnmatchcase(version.name, pattern) and required_tags <= dict(version.tags).items()
    ]
    return sorted(versions, key=lambda version: (version.name, -int(version.version)))


def _with_aliases(version: MlflowVersion, aliases: Mapping[str, Mapping[str, Sequence[str]]]) -> ModelVersion:
    """Our record of a version from a search; MLflow leaves the aliases out there."""
    return _version(version, aliases.get(version.name, {}).get(str(version.version), ()))


def _aliases(client: MlflowClient) -> dict[str, dict[str, list[str]]]:
    """All aliases: by the model's name, then by version. Every registered model has an entry."""
    aliases: dict[str, dict[str, list[str]]] = {}
    for model in _pages(client.search_registered_models):
        by_version = aliases.setdefault(model.name, {})
        for alias, version in model.aliases.items():
            by_version.setdefault(str(version), []).append(alias)
    return aliases


def _pages(search_function: Any, filter_string: str | None = None) -> Iterator[Any]:
    """All results of one of MLflow's searches, which returns them page by page."""
    token = None
    while True:
        page = search_function(filter_string=filter_string, max_results=PAGE_SIZE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def download(entry: ModelVersion, target: Path, tracking_uri: str, files: Sequence[str] = ()) -> Path:
    """Download a version's files.

    Args:
        entry: the version.
        target: local folder to download to.
        tracking_uri: of the store that has the version.
        files: names of the files. Left out: all files.

    Returns:
        The folder that holds the files: `target`, or the folder below it that MLflow made for them.

    Raises:
        ValueError: if the files are not where the registry says.
    """
    try:
        if not files:
            return Path(download_artifacts(artifact_uri=entry.source, dst_path=str(target), tracking_uri=tracking_uri))
        for file in files:
            download_artifacts(artifact_uri=f"{entry.source}/{file}", dst_path=str(target), tracking_uri=tracking_uri)
    except Exception as error:  # every storage library has errors of its own
        raise ValueError(
            f"expected the files of {entry.uri} at {redacted(entry.source)}, got: {reason_of(error)}; restore them"
        ) from error
    return target
