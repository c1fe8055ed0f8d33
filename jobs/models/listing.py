"""`magic models list`: a table of the registered models."""

from cluster.tracking import registry, runs
from cluster.tracking.registry import ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.model_folder import STEPS
from jobs.models.version_records import registered_metrics
from jobs.settings.models_config import ModelsListConfig
from magic.tables import text_table

HEAD = ("name", "version", "aliases", "steps", "style distance", "created (UTC)", "code")
STYLE_DISTANCE = "validation/style_distance"


def models_list(config: ModelsListConfig) -> list[ModelVersion]:
    """Print the versions that fit; returns them."""
    with runs.connected(config.cluster) as client:
        versions = registry.search(client, config.pattern, config.tags)
    print(text_table(HEAD, [row(version) for version in versions]) if versions else "no model fits")
    return versions


def row(version: ModelVersion) -> tuple[str, ...]:
    """A version in the table."""
    distance = registered_metrics(version).get(STYLE_DISTANCE)
    return (
        version.name,
        version.version,
        ", ".join(version.aliases),
        version.tags.get(STEPS, ""),
        "" if distance is None else f"{distance:.4g}",
        f"{version.created:%Y-%m-%d %H:%M}",
        version.tags.get(CODE_VERSION, ""),
    )
