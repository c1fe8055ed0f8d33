"""A generator and how it was trained, from the registry or from a folder."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import registry, tracking
from cluster.config import ClusterConfig
from magic.checkpoint import CONFIG, RECIPE, WEIGHTS, Packed
from pipelines.config import CropConfig, SourceConfig
from pipelines.objects import absolute, join, read_object


@dataclass(frozen=True, slots=True)
class Model:
    """A generator and how it was trained."""

    packed: Packed
    recipe: dict[str, Any]
    uri: str

    def crops(self) -> CropConfig:
        """How its training batches were cut; the defaults where that is not known."""
        return CropConfig(**self.recipe.get("crops", {}))

    def style(self, urls: tuple[str, ...], scale: float | None = None, shares: tuple[float, ...] = ()) -> SourceConfig:
        """The style pictures asked for, or those of the training, at the size they had in training."""
        trained = self.recipe.get("style") or {}
        known = tuple(trained.get("urls", ()))
        return SourceConfig(
            urls=urls or known,
            shares=shares or (() if urls else tuple(trained.get("shares", ()))),
            scale=scale or float(trained.get("scale", 1.0)),
            square_px=None if scale else trained.get("square_px"),
        )


def find_model(name: str, cluster: ClusterConfig) -> Model:
    """The model of that name.

    Args:
        name: models:/NAME@ALIAS, models:/NAME/VERSION, or the URL of a folder.
        cluster: where the registry is.

    Raises:
        ValueError: if there is no such model.
    """
    if not name.startswith(registry.PREFIX):
        return _read(absolute(name), absolute(name))
    version = registry.find(tracking.open_store(cluster), name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = registry.download(version, Path(scratch), tracking.tracking_uri(cluster))
        return _read(str(folder), version.uri)


def _read(folder: str, uri: str) -> Model:
    described, weights, recipe = (read_object(join(folder, file)) for file in (CONFIG, WEIGHTS, RECIPE))
    if described is None or weights is None:
        raise ValueError(
            f"expected a model at {folder}, got no {CONFIG} and {WEIGHTS} there; "
            f"name such a folder, or {registry.PREFIX}NAME@ALIAS"
        )
    return Model(Packed(described.decode(), weights), json.loads(recipe) if recipe else {}, uri)
