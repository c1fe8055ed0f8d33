"""`magic models promote`: an alias moves to a version, and why is on record."""

from cluster import promotion, tracking
from cluster.promotion import Promotion
from jobs.models_config import ModelsPromoteConfig
from jobs.records import resolve


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
