"""The model registry: a folder of plain files in, a version with an alias out, and back."""

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

PREFIX = "models:/"
CURRENT = "current"
"""The alias that training moves, and that a name alone means."""
DIGEST = "digest"
"""Tag of a version: the digest of its model, by which it is known wherever it is registered."""
ALIAS = re.compile(r"(?!latest$|v\d+$)[a-z0-9_-]+", re.IGNORECASE)
FOLDER = "generator"
"""Where a run keeps the models that it registered, each in a folder named by its digest."""
CARD = "card.md"
"""File of a version that tells people what it is."""
DESCRIPTION_CHARS = 2000
"""MLflow's databases hold 5000."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One entry of the registry."""

    name: str
    version: str
    run_id: str
    source: str
    """Where its files are."""
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    created: datetime
    status: str

    @property
    def uri(self) -> str:
        """How to name it, for ever."""
        return f"{PREFIX}{self.name}/{self.version}"

    @property
    def digest(self) -> str | None:
        """SHA-256 of its model, or None if it was registered without one."""
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
    """Make a model folder the next version of a name, and let the alias, if there is one, name it.

    A model of the same digest that this run registered before is not registered again. The folder's card, if it has
    one, becomes the version's description.

    Args:
        client: of the registry.
        folder: local folder of the model's files.
        name: of the registered model.
        run_id: of the run that made it.
        tags: what to know about the version; "digest" among them.
        alias: that it takes over.
    """
    digest = tags[DIGEST]
    made = next((v for v in find_digest(client, digest, name) if v.run_id == run_id), None)
    if made is None:
        path = f"{FOLDER}/{digest[:16]}"  # a run that goes on must not overwrite what it registered before
        client.log_artifacts(run_id, str(folder), artifact_path=path)
        if not client.search_registered_models(filter_string=f"name = '{name}'"):
            client.create_registered_model(name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{path}"
        made = _entry(client.create_model_version(name, source, run_id, tags=dict(tags), description=_card(folder)))
    if alias:
        set_alias(client, made, alias)
    return find(client, made.uri)


def set_alias(client: MlflowClient, entry: ModelVersion, alias: str) -> None:
    """Let an alias name a version.

    Raises:
        ValueError: for an alias that MLflow does not allow.
    """
    check_alias(alias)
    client.set_registered_model_alias(entry.name, alias, entry.version)


def check_alias(alias: str) -> None:
    """Refuse an alias that MLflow would refuse.

    Raises:
        ValueError: if it would.
    """
    if ALIAS.fullmatch(alias) is None:
        raise ValueError(
            f"expected an alias of letters, digits, '-' and '_', but neither latest nor v1, got {alias!r}; "
            "choose another"
        )


def _card(folder: Path) -> str | None:
    card = folder / CARD
    return card.read_text()[:DESCRIPTION_CHARS] if card.exists() else None


def _entry(version: MlflowVersion, aliases: Sequence[str] = ()) -> ModelVersion:
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
    """Look up models:/NAME@ALIAS or models:/NAME/VERSION.

    Raises:
        ValueError: if the URI has another form, or there is no such model, alias or version.
    """
    match = re.fullmatch(r"models:/([^@/]+)(?:@([^@/]+)|/(\d+))", uri)
    if match is None:
        raise ValueError(f"expected models:/NAME@ALIAS or models:/NAME/VERSION, got {uri!r}; write it so")
    name, alias, version = match.groups()
    try:
        entry = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
    except MlflowException as error:
        known = ", ".join(sorted(_aliases(client))) or "none"
        raise ValueError(
            f"expected a registered model, got {uri!r}, which is not there; registered are: {known}"
        ) from error
    return _entry(entry)


def find_digest(client: MlflowClient, digest: str, name: str | None = None) -> list[ModelVersion]:
    """All versions of a model, of any name or of one: the newest first."""
    wanted = f"tags.{DIGEST} = '{digest}'" + (f" and name = '{name}'" if name else "")
    aliases = _aliases(client)
    found = [_with_aliases(version, aliases) for version in _pages(client.search_model_versions, wanted)]
    return sorted(found, key=lambda entry: entry.created, reverse=True)


def search(client: MlflowClient, pattern: str = "*", tags: Mapping[str, str] | None = None) -> list[ModelVersion]:
    """All versions whose name fits a pattern (* and ? as in file names) and that have all those tags; by name, the
    newest version of each first.
    """
    aliases, wanted = _aliases(client), dict(tags or {}).items()
    found = [
        _with_aliases(version, aliases)
        for version in _pages(client.search_model_versions)
        if fnmatchcase(version.name, pattern) and wanted <= dict(version.tags).items()
    ]
    return sorted(found, key=lambda entry: (entry.name, -int(entry.version)))


def _with_aliases(version: MlflowVersion, aliases: Mapping[str, Mapping[str, Sequence[str]]]) -> ModelVersion:
    """An entry from a search, which does not tell its aliases."""
    return _entry(version, aliases.get(version.name, {}).get(str(version.version), ()))


def _aliases(client: MlflowClient) -> dict[str, dict[str, list[str]]]:
    """Of every registered model, by version; a search for versions does not tell them."""
    known: dict[str, dict[str, list[str]]] = {}
    for model in _pages(client.search_registered_models):
        names = known.setdefault(model.name, {})
        for alias, version in model.aliases.items():
            names.setdefault(str(version), []).append(alias)
    return known


def _pages(search_for: Any, wanted: str | None = None) -> Iterator[Any]:
    token = None
    while True:
        page = search_for(filter_string=wanted, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def download(entry: ModelVersion, target: Path, tracking_uri: str, files: Sequence[str] = ()) -> Path:
    """Fetch a version's files, all of them or those that are named; returns their folder.

    Raises:
        ValueError: if they are not where the registry says.
    """
    try:
        if not files:
            return Path(download_artifacts(artifact_uri=entry.source, dst_path=str(target), tracking_uri=tracking_uri))
        for file in files:
            download_artifacts(artifact_uri=f"{entry.source}/{file}", dst_path=str(target), tracking_uri=tracking_uri)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected the files of {entry.uri} at {entry.source}, got: {reason}; restore them") from error
    return target
