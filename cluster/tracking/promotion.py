"""Aliases that move from version to version, and a record of why."""

import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient

from cluster.code_version import git_user
from cluster.tracking.registry import ModelVersion, check_alias, set_alias

PROMOTED = "promoted/"
"""Tags of a version, one for each alias that was given to it: its newest promotion."""
HISTORY = "promotions"
"""Tag of a registered model: its promotions, the newest last, as many as fit."""
HISTORY_CHARS = 4000
"""MLflow's databases hold 5000 in a registered model's tag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """One move of an alias."""

    alias: str
    when: str
    """UTC, ISO 8601."""
    why: str
    before: str | None
    """The version that had the alias, if any."""
    version: str
    """The version that has it from then on."""
    by: str

    def __str__(self) -> str:
        before = "no version" if self.before is None else f"version {self.before}"
        return f"{self.when}  {self.alias}: {before} -> version {self.version}, by {self.by}: {self.why}"


def promote(client: MlflowClient, entry: ModelVersion, alias: str, why: str) -> Promotion | None:
    """Move an alias to a version and record it, at the version and at the registered model.

    Returns:
        The record, or None if the version has the alias already.

    Raises:
        ValueError: for an alias that MLflow does not allow.
    """
    check_alias(alias)
    aliases: Mapping[str, str] = client.get_registered_model(entry.name).aliases
    before = aliases.get(alias)
    if before is not None and str(before) == entry.version:
        return None
    made = Promotion(
        alias=alias,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        before=None if before is None else str(before),
        version=entry.version,
        by=git_user() or getpass.getuser(),
    )
    # the alias last: it never moves without a record
    record = json.dumps(asdict(made), ensure_ascii=False)
    client.set_model_version_tag(entry.name, entry.version, PROMOTED + alias, record)
    client.set_registered_model_tag(entry.name, HISTORY, _fitting([*history(client, entry.name), made]))
    set_alias(client, entry, alias)
    return made


def history(client: MlflowClient, name: str) -> list[Promotion]:
    """The promotions of a registered model, the newest last."""
    kept = client.get_registered_model(name).tags.get(HISTORY)
    return [Promotion(**record) for record in json.loads(kept)] if kept else []


def _fitting(promotions: list[Promotion]) -> str:
    """The newest of them, as many as the tag holds."""
    while True:
        text = json.dumps([asdict(promotion) for promotion in promotions], ensure_ascii=False)
        if len(text) <= HISTORY_CHARS or len(promotions) == 1:
            return text
        promotions = promotions[1:]
