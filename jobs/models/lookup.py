"""A generator and how it was trained, from the registry or from a folder."""

import hashlib
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster.connection import ClusterConfig
from cluster.tracking import registry, runs
from cluster.tracking.registry import ModelVersion
from jobs.models.recipe import RECIPE, Recipe
from magic.checks import shown
from magic.networks.generator import Generator
from magic.networks.packed import CONFIG, WEIGHTS, Packed, unpack_generator
from magic.redaction import redacted
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.source_records import SourceSummary
from pipelines.storage.door import MAX_OBJECT_BYTES, MAX_WEIGHTS_BYTES, absolute, join, read_object

log = logging.getLogger(__name__)
MAX_BYTES = {WEIGHTS: MAX_WEIGHTS_BYTES, CONFIG: MAX_OBJECT_BYTES, RECIPE: MAX_OBJECT_BYTES}
"""Of each file of a model."""
MODEL_FILES = tuple(MAX_BYTES)
RECIPE_DIGEST = "recipe_digest"
"""Tag of a version: SHA-256 of its RECIPE."""


@dataclass(frozen=True, slots=True)
class Model:
    """A generator and how it was trained."""

    packed: Packed
    recipe: Recipe | None
    """None where nobody knows."""
    uri: str

    def generator(self) -> Generator:
        """Its networks, on the CPU.

        Raises:
            ValueError: if its files are damaged, or do not fit each other.
        """
        try:
            return unpack_generator(self.packed)
        except ValueError as error:
            raise ValueError(f"{redacted(self.uri)}: {error}") from error

    @property
    def crops(self) -> CropConfig:
        """How its training batches were cut; the defaults where nobody knows."""
        return self.recipe.crops if self.recipe else CropConfig()

    @property
    def style(self) -> SourceSummary | None:
        """The style pictures of its training, as far as they are known."""
        return self.recipe.style if self.recipe else None

    def style_source(
        self, urls: tuple[str, ...], scale: float | None = None, shares: tuple[float, ...] = ()
    ) -> SourceConfig:
        """The style pictures that are asked for, or those of its training, at the size that they had then.

        Args:
            urls: the pictures; empty for those of the training.
            scale: their size; None for that of the training.
            shares: how often each URL is used; empty for that of the training.
        """
        trained = self.style
        if trained is None:
            return SourceConfig(urls=urls, shares=shares, scale=scale or 1.0)
        return SourceConfig(
            urls=urls or trained.urls,
            shares=shares or (() if urls else trained.shares),
            scale=scale or trained.scale,
            square_px=None if scale else trained.square_px,
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
    with runs.connected(cluster) as client:
        return fetch_model(registry.find(client, name), cluster)


def fetch_model(version: ModelVersion, cluster: ClusterConfig) -> Model:
    """A registered model; none of its code is read.

    Raises:
        ValueError: if its files are gone, or are others than those that were registered.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return verified(registry.download(version, Path(scratch), runs.tracking_uri(cluster), MODEL_FILES), version)


def verified(folder: Path, version: ModelVersion) -> Model:
    """The model in a folder of a version's files.

    Raises:
        ValueError: if they are not those that were registered.
    """
    if version.digest is None:
        log.warning("%s was registered without a digest: nobody knows whether it was changed since", version.uri)
    recipe_digest = hashlib.sha256((folder / RECIPE).read_bytes()).hexdigest()
    require_same_digest("recipe", version.uri, version.tags.get(RECIPE_DIGEST), recipe_digest)
    model = read_model(str(folder), version.uri)
    require_same_digest("model", version.uri, version.digest, model.packed.digest)
    return model


def require_same_digest(what: str, where: str, expected: str | None, got: str) -> None:
    """Refuse what was changed since it was registered, as far as its digest is known.

    Raises:
        ValueError: if the digests differ.
    """
    if expected is not None and got != expected:
        raise ValueError(
            f"expected the {what} with SHA-256 {expected} in {shown(where)}, got {got}; restore it, or train again"
        )


def read_model(folder: str, uri: str) -> Model:
    """The model in a folder.

    Raises:
        ValueError: if there is none, or if its descriptions are damaged.
    """
    config, weights, recipe = (read_object(join(folder, file), MAX_BYTES[file]) for file in (CONFIG, WEIGHTS, RECIPE))
    if config is None or weights is None:
        raise ValueError(
            f"expected a model at {shown(folder)}, got no {CONFIG} and {WEIGHTS} there; "
            f"name such a folder, or {registry.PREFIX}NAME@ALIAS"
        )
    return Model(
        packed_from(config, weights, uri), Recipe.from_bytes(recipe, join(uri, RECIPE)) if recipe else None, uri
    )


def packed_from(config: bytes, weights: bytes, where: str) -> Packed:
    """A model from its files.

    Raises:
        ValueError: if its configuration is no text.
    """
    try:
        return Packed(config.decode(), weights)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected text in {shown(join(where, CONFIG))}, got: {error}; fetch the model again"
        ) from error
