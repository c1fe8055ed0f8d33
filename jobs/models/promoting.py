"""`magic models promote`: an alias moves to a version, and why is on record."""

from cluster.tracking import promotion
from cluster.tracking import runs as tracking
from cluster.tracking.promotion import Promotion
from jobs.models.version_records import resolve
from jobs.settings.models_config import ModelsPromoteConfig


def models_promote(config: ModelsPromoteConfig) -> Promotion | None:
    """Move the alias; returns the record of it, or None if the version has it already.

    Raises:
        ValueError: for an unknown model, or an alias that cannot be.
    """
    with tracking.connected(config.cluster) as client:
        version = resolve(client, config.model)
        made = promotion.promote(client, version, config.alias, config.why)
    print(f"{version.uri} is models:/{version.name}@{config.alias} already" if made is None else made)
    return made
