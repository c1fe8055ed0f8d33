"""`magic models list`: a table of the registered models."""

import json

from cluster import registry, tracking
from cluster.registry import ModelVersion
from cluster.tracking import CODE_VERSION
from jobs.model_folder import METRICS, STEPS
from jobs.models_config import ModelsListConfig
from jobs.records import text_table

HEAD = ("name", "version", "aliases", "steps", "style distance", "created (UTC)", "code")
STYLE_DISTANCE = "validation/style_distance"


def models_list(config: ModelsListConfig) -> list[ModelVersion]:
    """Print the versions that fit; returns them."""
    with tracking.connected(config.cluster) as client:
        found = registry.search(client, config.pattern, config.tags)
    print(text_table(HEAD, [row(version) for version in found]) if found else "no model fits")
    return found


def row(version: ModelVersion) -> tuple[str, ...]:
    """A version in the table."""
    distance = json.loads(version.tags.get(METRICS, "{}")).get(STYLE_DISTANCE)
    return (
        version.name,
        version.version,
        ", ".join(version.aliases),
        version.tags.get(STEPS, ""),
        "" if distance is None else f"{distance:.4g}",
        f"{version.created:%Y-%m-%d %H:%M}",
        version.tags.get(CODE_VERSION, ""),
    )
