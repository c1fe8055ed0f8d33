"""A painting: a poster, and what workers are sent of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import ray

from magic.networks.generator import Generator
from magic.networks.packed import Packed
from magic.scene.memory import MemorySet
from pipelines.painting.local_poster import SentPoster
from pipelines.painting.poster_task import PosterTask, Tiling
from pipelines.workers.functions import Shared
from pipelines.workers.stages import Stage, Steps

Result = TypeVar("Result")


class SentParts:
    """What workers are sent of a poster, before and after it is planned; each part once.

    Args:
        task: the poster before it is planned.
        model: posters of one model share it.
        pictures: references to those of its memory's pictures that other posters share, by number.
    """

    def __init__(self, task: PosterTask, model: Shared[Packed], pictures: Mapping[int, Any]) -> None:
        scene = task.scene
        self.model = model
        self._task = Shared(replace(task, scene=replace(scene, memory=MemorySet({}, scene.memory.templates))))
        self._memory, self._shared = scene.memory, pictures

    def sent(self, tiling: Tiling) -> SentPoster:
        """What each task is given."""
        return SentPoster(self.model.handle, self._task.handle, self._pictures, tiling)

    @cached_property
    def _pictures(self) -> dict[int, list[Any]]:
        return {n: [self._shared.get(n) or ray.put(pixels)] for n, pixels in self._memory.pictures.items()}


@dataclass(frozen=True)
class Painting:
    """A poster, and what its tasks need to know of it."""

    task: PosterTask
    generator: Generator
    parts: SentParts

    def planned(self, task: PosterTask) -> "Painting":
        """The same poster as it was planned."""
        return replace(self, task=task)

    @property
    def sent(self) -> SentPoster:
        """What each of its tasks is given."""
        return self.parts.sent(self.task.tiling)

    def on_one_worker(self, title: str, function: Callable[..., Result], *args: Any) -> Steps[Result]:
        """Call a function of the task, its renderer and further arguments on a worker: a work of one stage.

        Args:
            title: what it does.
            function: workers must be able to import it.
            args: its further arguments.
        """
        results: dict[int, Result] = {}
        yield Stage(
            title=title,
            tasks=[0],
            call=lambda actor, _: actor.call.remote(function, self.sent, *args),
            received=results.__setitem__,
            model=self.parts.model,
            needs_gpu=True,
        )
        return results[0]
