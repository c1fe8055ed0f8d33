"""`magic models compare`: measures and settings of models side by side."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient

from cluster.connection import ClusterConfig
from cluster.tracking import registry, runs
from cluster.tracking.registry import ModelVersion
from cluster.tracking.runs import CODE_VERSION, flatten
from jobs.models.lookup import fetch_model
from jobs.models.model_folder import SHEET, STEPS, newest_sheet
from jobs.models.version_records import metrics_of, resolve
from jobs.settings.models_config import ModelsCompareConfig
from magic.checks import printable
from magic.sheets import Panel, sheet
from magic.tables import markdown_table, measures_table
from pipelines.export.png import encode_png
from pipelines.pictures.decoding import decode
from pipelines.storage.door import write_object
from pipelines.storage.outputs import require_file

PANEL_PX = 960


def models_compare(config: ModelsCompareConfig) -> dict[str, dict[str, float]]:
    """Print the tables and write the sheet; returns the measures by model.

    Raises:
        ValueError: for an unknown model, one that was changed, or a sheet of models that have none.
    """
    if config.sheet is not None:
        require_file(config.sheet)
    with runs.connected(config.cluster) as client:
        versions = {version.uri: version for version in (resolve(client, name) for name in config.models)}
        measured = {uri: dict(sorted(metrics_of(client, version).items())) for uri, version in versions.items()}
        settings = {uri: settings_of(version, config.cluster) for uri, version in versions.items()}
        print(measures_table(measured))
        print("\n" + (settings_table(settings) or "no setting differs"))
        if config.sheet is not None:
            panels = [Panel(uri, sheet_of(client, version, config.cluster)) for uri, version in versions.items()]
            write_object(config.sheet, encode_png(sheet([panels], PANEL_PX)))
            print(f"\nwrote {printable(config.sheet)}")
    return measured


def settings_of(version: ModelVersion, cluster: ClusterConfig) -> dict[str, Any]:
    """A model's recipe, flat, and which code it was trained by."""
    recipe = fetch_model(version, cluster).recipe
    settings = flatten(recipe.to_json()) if recipe else {}
    return {STEPS: version.tags.get(STEPS, ""), CODE_VERSION: version.tags.get(CODE_VERSION, ""), **settings}


def settings_table(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The settings that differ, in Markdown; nothing where none does."""
    names = dict.fromkeys(name for one in settings.values() for name in one)
    rows = [[name, *(str(one.get(name, "")) for one in settings.values())] for name in names]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return markdown_table(["setting", *settings], differing) if differing else ""


def sheet_of(client: MlflowClient, version: ModelVersion, cluster: ClusterConfig) -> np.ndarray:
    """A model's sample sheet: the one that was registered with it, or its run's newest."""
    data = registered_sheet(version, cluster) or newest_sheet(client, version.run_id)
    if data is None:
        raise ValueError(f"expected a sample sheet of {version.uri}, got none; leave --sheet out")
    try:
        return decode(data)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"expected a picture in {SHEET} of {version.uri}, got another file; leave --sheet out"
        ) from error


def registered_sheet(version: ModelVersion, cluster: ClusterConfig) -> bytes | None:
    """The sheet in a version's folder, or None."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = registry.download(version, Path(scratch), runs.tracking_uri(cluster), [SHEET])
        except ValueError:
            return None
        return (folder / SHEET).read_bytes()
