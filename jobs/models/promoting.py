"""`magic models promote`: moves an alias to a version, and records why."""

from cluster.tracking import promotion, runs
from cluster.tracking.promotion import Promotion
from jobs.models.version_records import resolve
from jobs.settings.models_config import ModelsPromoteConfig


def models_promote(config: ModelsPromoteConfig) -> Promotion | None:
    """Move the alias; returns the record of it, or None if the version has it already.

    Raises:
        ValueError: for an unknown model, or an alias that cannot be.
    """
    with runs.connected(config.cluster) as client:
        version = resolve(client, config.model)
        record = promotion.promote(client, version, config.alias, config.why)
    print(f"{version.uri} is models:/{version.name}@{config.alias} already" if record is None else record)
    return record
