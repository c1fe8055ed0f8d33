"""Promotions: moves an alias from one version of a model to another, and records who did so, when and why."""

import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient
from pydantic import TypeAdapter, ValidationError

from cluster.code_version import git_user
from cluster.tracking.aliases import check_alias
from cluster.tracking.registry import ModelVersion, set_alias
from magic.redaction import redacted

PROMOTED = "promoted/"
"""Prefix of a version's tags: promoted/ALIAS holds the newest promotion of this version to that alias, as JSON."""
HISTORY = "promotions"
"""Tag of a registered model: its promotions as JSON, the newest last; the oldest are dropped when the tag is full."""
MAX_HISTORY_CHARS = 4000
"""MLflow's databases hold 5000 in a registered model's tag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """One move of an alias."""

    alias: str
    when: str
    """UTC, ISO 8601."""
    why: str
    """The reason that the user gave."""
    before: str | None
    """The version that had the alias before, if any."""
    version: str
    """The version that has the alias afterwards."""
    by: str
    """The user: the name in git's configuration, else that of the login."""

    def __str__(self) -> str:
        before = "no version" if self.before is None else f"version {self.before}"
        return f"{self.when}  {self.alias}: {before} -> version {self.version}, by {self.by}: {self.why}"


_PROMOTIONS = TypeAdapter(list[Promotion])


def promote(client: MlflowClient, entry: ModelVersion, alias: str, why: str) -> Promotion | None:
    """Move an alias to a version, and record the promotion in tags of the version and of the registered model.

    Returns:
        The promotion, or None if the version has the alias already.

    Raises:
        ValueError: for an alias that MLflow does not allow, or if the model's promotions cannot be read.
    """
    check_alias(alias)
    aliases: Mapping[str, str] = client.get_registered_model(entry.name).aliases
    before = aliases.get(alias)
    if before is not None and str(before) == entry.version:
        return None
    promotion = Promotion(
        alias=alias,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        why=redacted(why),
        before=None if before is None else str(before),
        version=entry.version,
        by=git_user() or getpass.getuser(),
    )
    promotions = _newest_as_json([*history(client, entry.name), promotion])
    record = json.dumps(asdict(promotion), ensure_ascii=False)
    client.set_model_version_tag(entry.name, entry.version, PROMOTED + alias, record)
    client.set_registered_model_tag(entry.name, HISTORY, promotions)
    set_alias(client, entry, alias)  # last: a promotion that is interrupted never moves the alias without a record
    return promotion


def history(client: MlflowClient, name: str) -> list[Promotion]:
    """The recorded promotions of a registered model, the newest last.

    Raises:
        ValueError: if the tag that holds them holds something else.
    """
    text = client.get_registered_model(name).tags.get(HISTORY)
    try:
        return _PROMOTIONS.validate_json(text, strict=True, extra="forbid") if text else []
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))[:100] or "all of it"
        raise ValueError(
            f"expected the promotions of {name} in the tag {HISTORY} of the registered model, got {place}: "
            f"{problem['msg']}; put the tag back as it was, or delete it"
        ) from error


def _newest_as_json(promotions: list[Promotion]) -> str:
    """The newest of the promotions, as many as the tag holds, but at least one."""
    while True:
        text = json.dumps([asdict(promotion) for promotion in promotions], ensure_ascii=False)
        if len(text) <= MAX_HISTORY_CHARS or len(promotions) == 1:
            return text
        promotions = promotions[1:]
