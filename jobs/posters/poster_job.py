"""A poster as one object: what was asked for, what it shows, who paints it, and all that follows from these."""

import importlib.metadata
from dataclasses import dataclass
from functools import cached_property

from cluster.code_version import code_version
from jobs.models.lookup import Model
from jobs.posters.composition import Composition, compose, has_same_pictures
from jobs.posters.delivery import expected_files, file_names
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.poster_config import PosterConfig
from magic.checks import printable, require
from magic.geometry import Box
from magic.networks.generator import Statistics
from magic.scene.reference import region_boxes
from magic.scene.scene import plan_grid
from pipelines.export.formats import ExportOptions, format_of
from pipelines.painting.comparison import measure_error
from pipelines.painting.disk_space import require_room, stored_bytes
from pipelines.painting.painting import Painting, SentParts
from pipelines.painting.plan import TILES_PX, Plan, Planner, require_a_tile
from pipelines.painting.plan_text import plan_lines
from pipelines.painting.poster_task import PosterTask, Tiling
from pipelines.painting.probe import Probe
from pipelines.pictures.sources import Source
from pipelines.pictures.tone import Tone
from pipelines.posters.finished_poster import CONTENT, FinishedPoster, digest_of
from pipelines.posters.poster_records import Manifest, MeasuredError, PosterIdentity, TilingRecord
from pipelines.posters.poster_store import PosterStore
from pipelines.quantities import gigabytes
from pipelines.storage.claims import IDENTITY
from pipelines.storage.door import absolute
from pipelines.workers.stages import Steps

NUM_REGIONS, REGION_PX = 2, 128
"""Regions that are painted again at the end, for the manifest's measured error."""
LIBRARIES = ("torch", "ray", "zarr", "numpy")
"""Whose versions a manifest names, beside that of the code."""


@dataclass(frozen=True)
class PosterJob:
    """A poster to be painted."""

    config: PosterConfig
    model: Model
    style: Source
    composition: Composition
    shelf: Shelf
    """What it shares with other posters."""
    workers: RenderWorkers
    group: str | None = None
    """Digest of the group that it is in, see begin_group; None for a poster of its own."""

    @staticmethod
    def begin(config: PosterConfig, shelf: Shelf, workers: RenderWorkers, tone: Tone | None = None) -> "PosterJob":
        """Read what a poster is made of, within a Ray session.

        Args:
            config: its settings.
            shelf: what it shares with other posters.
            workers: that will paint it.
            tone: see compose.

        Raises:
            ValueError: for an unknown model, sources without pictures, or settings that do not suit the model.
        """
        model = shelf.model(config.model)
        style = shelf.style(model.style_source(config.style, config.style_scale, config.style_shares))
        return PosterJob(config, model, style, compose(config, model, style, tone), shelf, workers)

    @cached_property
    def painting(self) -> Painting:
        """The poster before it is planned, for workers."""
        task = self.unplanned_task
        pictures = self.composition.picture_references
        return Painting(task, self.composition.generator, SentParts(task, self.shelf.packed(self.model), pictures))

    @cached_property
    def unplanned_task(self) -> PosterTask:
        """The task before it is planned: its tiles are the smallest there are."""
        generator, scene = self.composition.generator, self.composition.scene
        grid = plan_grid(generator, scene.canvas, generator.config.multiple)
        return PosterTask(
            num_statistics={net: generator.num_statistics(net) for net in generator.nets},
            scene=scene,
            tiling=Tiling(grid),
            store=PosterStore(absolute(self.config.out), grid, scene.canvas, self.config.top),
            threads=self.config.threads,
            precision=self.config.precision,
            statistics="group" if self.group else self.config.statistics_mode,
        )

    @property
    def begun_task(self) -> PosterTask | None:
        """The task of a poster that was begun, in its own tiles, before anything is planned; None for a new one."""
        begun = self._begun_plan
        if begun is None:
            return None
        grid = plan_grid(self.composition.generator, self.composition.scene.canvas, begun.tile)
        return self.unplanned_task.tiled(Tiling(grid, begun.keep))

    @cached_property
    def _begun_plan(self) -> TilingRecord | None:
        """How a begun poster goes on. If something else is asked for, that: its folder will refuse it."""
        data, config = self.unplanned_task.store.folder.read(IDENTITY), self.config
        if data is None:
            return None
        plan = PosterIdentity.from_bytes(data, IDENTITY).plan
        return TilingRecord(tile=config.tile or plan.tile, keep=plan.keep if config.keep is None else config.keep)

    def planned_task(self, plan: Plan) -> PosterTask:
        """The task as it will be carried out."""
        return self.unplanned_task.tiled(plan.tiling)

    def check(self) -> None:
        """Refuse, before any worker is asked for, what could not end well.

        Raises:
            ValueError: for a picture too large for its format, an impossible printed width, the content of a poster
                without one, more weights than there are, too little disk or memory, or statistics that do not fit.
        """
        self._check_files()
        config, composition = self.config, self.composition
        planes = composition.generator.config.traits.num_weights(composition.num_templates)
        require(config.top <= planes, f"top <= {planes}, as many as the model weighs", config.top, "lower --top")
        require_room(self.unplanned_task.store.url, 0, self._expected_files)
        if config.memory_gb:
            canvas = composition.scene.canvas
            smallest = max(canvas.height, canvas.width) if config.mode == "whole" else config.tile or TILES_PX[0]
            memory_bytes = int(config.memory_gb * 1e9)
            require_a_tile(composition.generator, composition.scene, config.precision, smallest, memory_bytes)
        _ = self.frozen_statistics

    def _check_files(self) -> None:
        canvas = self.composition.scene.canvas
        has_content = self.composition.content is not None or CONTENT not in self.config.also
        require(has_content, "layers that the poster has", CONTENT, "leave it out of --also")
        ExportOptions(width_cm=self.config.width_cm).dots_per_inch(canvas.poster_width)
        for name in file_names(self.config):
            format_of(name).check_size(name, canvas.poster_height, canvas.poster_width)

    @property
    def _expected_files(self) -> dict[str, int]:
        canvas = self.composition.scene.canvas
        return expected_files(self.config, canvas.poster_height, canvas.poster_width)

    @cached_property
    def frozen_statistics(self) -> Statistics | None:
        """Those of another poster, by the same model from the same templates; None where the poster has its own.

        Raises:
            ValueError: if that poster is another model's, of other templates, or in another precision.
        """
        if self.config.statistics is None:
            return None
        other, composition = FinishedPoster.at(self.config.statistics), self.composition
        identity = other.manifest.identity
        require(not other.is_preview, "statistics of an exact poster", f"the preview {other.url}", "render it exactly")
        require(
            identity.model.digest == composition.model.digest,
            "statistics of a poster by the same model",
            identity.model.uri,
            "render one with it first",
        )
        require(
            identity.templates == composition.scene.memory.templates and has_same_pictures(other, self.style),
            "statistics of a poster from the same templates",
            f"others in {self.config.statistics}",
            "give its --style, --seed and --templates",
        )
        same = identity.precision == self.config.precision
        require(same, f"statistics in {self.config.precision}", identity.precision, "give its --precision")
        return other.statistics(self.unplanned_task.num_statistics)

    def choose_plan(self, measured: Probe) -> Plan:
        """The fastest way to paint it that fits; a job that was begun goes on by its own.

        Raises:
            ValueError: if none fits.
        """
        config, composition = self.config, self.composition
        memory_bytes = self._memory_bytes(measured)
        num_workers = self.workers.num_workers
        planner = Planner(
            composition.generator, composition.scene, self.unplanned_task, measured, num_workers, memory_bytes
        )
        begun = self._begun_plan
        if begun is not None:
            return planner.same_as(begun.tile, keep=begun.keep)
        return planner.choose((config.tile,) if config.tile else TILES_PX, config.keeps, whole=config.is_whole)

    def _memory_bytes(self, measured: Probe) -> int:
        """Memory that each worker may use."""
        return int(self.config.memory_gb * 1e9) if self.config.memory_gb else measured.memory_bytes

    def describe(self, task: PosterTask, plan: Plan, measured: Probe) -> str:
        """What will be done, for people."""
        canvas, model = task.scene.canvas, self.composition.model
        lines = [
            f"poster {canvas.poster_width} x {canvas.poster_height} px; folder {printable(task.store.url)}",
            f"  model    {printable(model.uri)} ({model.digest[:12]}), K = {self.composition.num_templates}",
            *plan_lines(task, plan, measured, self.workers.num_workers),
        ]
        lines += [f"  file     {name}: about {gigabytes(size)}" for name, size in self._expected_files.items()]
        if task.statistics == "preview":
            lines.append("  PREVIEW  approximate: its colours differ from the exact poster's")
        return "\n".join(lines)

    def require_room(self, task: PosterTask, measured: Probe) -> None:
        """Refuse a poster that will not fit on the disk.

        Raises:
            ValueError: if it will not.
        """
        require_room(task.store.url, sum(stored_bytes(task, measured).values()), self._expected_files)

    def identity(self, task: PosterTask) -> PosterIdentity:
        """All that decides the poster's bytes."""
        composition, frozen = self.composition, self.frozen_statistics
        generator, canvas = composition.generator.config, task.scene.canvas
        return PosterIdentity(
            model=composition.model,
            content=composition.content,
            style=self.style.identity(),
            templates=task.scene.memory.templates,
            seed=self.config.seed,
            size=(canvas.poster_width, canvas.poster_height),
            system=generator.system,
            warp=generator.warp,
            plan=TilingRecord(tile=task.grid.core_px, keep=task.keep),
            statistics=task.statistics,
            frozen=None if frozen is None else digest_of(frozen),
            group=self.group,
            precision=task.precision,
            threads=task.threads,
            top=task.store.top,
        )

    def manifest(self, task: PosterTask, statistics: Statistics) -> Manifest:
        """What is recorded of the painted poster."""
        versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
        return Manifest(
            identity=self.identity(task),
            pictures=self.style.pictures,
            skipped=self.style.skipped,
            canvas=task.scene.canvas,
            statistics_digest=digest_of(statistics),
            versions={"magic": code_version(), **versions},
        )

    def measure_error(self, finished: FinishedPoster, task: PosterTask, measured: Probe) -> Steps[MeasuredError | None]:
        """How far regions are from the same regions painted anew: a work of one stage.

        None for a preview, whose statistics are not the poster's, and where a region with all that it depends on would
        take more memory than a worker has.
        """
        canvas = task.scene.canvas
        region = Box(0, 0, REGION_PX, REGION_PX).shifted(canvas.padding_before, canvas.padding_before)
        read = region_boxes(self.composition.generator, canvas.box, region).read
        if finished.is_preview or read.area * measured.peak_bytes > self._memory_bytes(measured):
            return None
        painting = self.painting.planned(task)
        error = yield from painting.on_one_worker("check", measure_error, finished, NUM_REGIONS, REGION_PX)
        return MeasuredError(regions=NUM_REGIONS, **error._asdict())
