"""What several posters share: models, style pictures, and what was measured of workers. Each is fetched once."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

from cluster.connection import ClusterConfig
from jobs.models.lookup import Model, find_model
from jobs.posters.render_workers import RenderWorkers
from magic.networks.packed import Packed
from pipelines.painting.painting import Painting
from pipelines.painting.probe import Probe, probe
from pipelines.pictures.settings import SourceConfig
from pipelines.pictures.sources import Source, survey
from pipelines.workers.functions import Shared
from pipelines.workers.stages import Steps

Thing = TypeVar("Thing")


class Shelf:
    """What posters by the same workers share.

    Args:
        cluster: where the registry is.
    """

    def __init__(self, cluster: ClusterConfig) -> None:
        self.cluster = cluster
        self._things: dict[Hashable, Any] = {}
        self._memory_bytes: int | None = None

    def model(self, name: str) -> Model:
        """A model by name, see find_model."""
        return self._once(("model", name), lambda: find_model(name, self.cluster))

    def packed(self, model: Model) -> Shared[Packed]:
        """A model for workers, the same for all of its posters."""
        return self._once(("packed", model.packed.digest), lambda: Shared(model.packed))

    def style(self, config: SourceConfig) -> Source:
        """Style pictures, see survey."""
        return self._once(("style", config), lambda: survey(config, min_side_px=1, name="style"))

    def probe(self, painting: Painting, model: Model, workers: RenderWorkers) -> Steps[Probe]:
        """What a worker can do with a model, number of templates and precision.

        How much memory it may use is found once, before the workers' own work takes some of it.
        """
        task = painting.task
        key = "probe", model.packed.digest, len(task.scene.memory.templates), task.precision, task.store.top
        if key not in self._things:
            found = yield from probe(painting, workers.num_workers, workers.gpus_per_worker)
            self._memory_bytes = self._memory_bytes or found.memory_bytes
            self._things.setdefault(key, replace(found, memory_bytes=self._memory_bytes))
        measured: Probe = self._things[key]
        return measured

    def _once(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """What was made once. A failure is remembered as well: what many posters need is not asked for again."""
        if key not in self._things:
            try:
                self._things[key] = make()
            except (ValueError, OSError) as error:
                self._things[key] = error
        thing = self._things[key]
        if isinstance(thing, Exception):
            raise thing.with_traceback(None)
        return thing  # type: ignore[no-any-return]
