"""A generator and how it was trained, from the registry or from a folder."""

import hashlib
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.connection import ClusterConfig
from cluster.tracking import registry
from cluster.tracking import runs as tracking
from cluster.tracking.registry import ModelVersion
from magic.networks.packed import CONFIG, RECIPE, WEIGHTS, Packed
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.store.storage import absolute, join, read_object

log = logging.getLogger(__name__)
MODEL_FILES = (WEIGHTS, CONFIG, RECIPE)
RECIPE_DIGEST = "recipe_digest"
"""Tag of a version: SHA-256 of its RECIPE."""


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
        ValueError: if there is no such model, or if it is no longer the one that was registered.
    """
    if not name.startswith(registry.PREFIX):
        return read_model(absolute(name), absolute(name))
    return fetch_model(registry.find(tracking.open_store(cluster), name), cluster)


def fetch_model(version: ModelVersion, cluster: ClusterConfig) -> Model:
    """A registered model; none of its code is read.

    Raises:
        ValueError: if its files are gone, or are others than those that were registered.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return verified(registry.download(version, Path(scratch), tracking.tracking_uri(cluster), MODEL_FILES), version)


def verified(folder: Path, version: ModelVersion) -> Model:
    """The model in a folder of a version's files.

    Raises:
        ValueError: if they are others than those that were registered.
    """
    if version.digest is None:
        log.warning("%s was registered without a digest: nobody knows whether it was changed since", version.uri)
    recipe = hashlib.sha256((folder / RECIPE).read_bytes()).hexdigest()
    same_digest("recipe", version.uri, version.tags.get(RECIPE_DIGEST), recipe)
    model = read_model(str(folder), version.uri)
    same_digest("model", version.uri, version.digest, model.packed.digest)
    return model


def same_digest(what: str, where: str, expected: str | None, got: str) -> None:
    """Refuse what was changed since it was registered, as far as is known.

    Raises:
        ValueError: if it is another now.
    """
    if expected is not None and got != expected:
        raise ValueError(
            f"expected the {what} with SHA-256 {expected} in {where}, got {got}; restore it, or train again"
        )


def read_model(folder: str, uri: str) -> Model:
    """The model in a folder.

    Raises:
        ValueError: if there is none, or if its descriptions are damaged.
    """
    described, weights, recipe = (read_object(join(folder, file)) for file in (CONFIG, WEIGHTS, RECIPE))
    if described is None or weights is None:
        raise ValueError(
            f"expected a model at {folder}, got no {CONFIG} and {WEIGHTS} there; "
            f"name such a folder, or {registry.PREFIX}NAME@ALIAS"
        )
    try:
        return Model(Packed(described.decode(), weights), json.loads(recipe) if recipe else {}, uri)
    except ValueError as error:
        raise ValueError(f"expected an undamaged model at {uri}, got: {error}; fetch it again") from error
