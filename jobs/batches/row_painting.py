"""A row of a batch, or the rows of a group: checked before any is painted, then painted as a work of one pool."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ray.exceptions import RayError

from jobs.batches.row_records import Book, Inputs, RowRecord, Stage
from jobs.batches.rows import Row
from jobs.posters.delivery import file_names
from jobs.posters.poster import paint_posters
from jobs.posters.poster_group import begin_group
from jobs.posters.poster_job import PosterJob
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.poster_config import PosterConfig
from magic.checks import first_line, require
from pipelines.export.thumbnails import show_small
from pipelines.painting.probe import Probe
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import PosterIdentity
from pipelines.storage.claims import IDENTITY
from pipelines.storage.door import is_new, join, names_in, read_object, remove
from pipelines.workers.stages import Steps

NO_TELLING = lambda text: None  # noqa: E731


@dataclass(frozen=True)
class RowPainter:
    """Checks and paints the rows of a batch."""

    book: Book
    shelf: Shelf
    workers: RenderWorkers

    def check(self, rows: Sequence[Row]) -> list[RowRecord]:
        """What is known of a row, or of those of a group, now: done, refused or pending. Nothing is painted.

        A row is done if its record says so of the same settings and inputs, and its poster and files are there. In a
        group all are painted, or none.
        """
        known = [self.book.records[row.name] for row in rows]
        fresh = [replace(self.book.fresh(row), job=record.job) for row, record in zip(rows, known, strict=True)]
        bad = next((row for row in rows if row.config is None), None)
        if bad is not None:
            reasons = [row.refusal or f"its group has the row {bad.name}, which is refused" for row in rows]
            return [refused(record, "settings", reason) for record, reason in zip(fresh, reasons, strict=True)]
        try:
            checked = [self._checked(*each) for each in zip(self._begin(rows), known, fresh, strict=True)]
        except (ValueError, OSError, RuntimeError, RayError) as error:
            return [refused(record, "inputs", first_line(error)) for record in fresh]
        are_done = all(is_done for is_done, _ in checked)
        return known if are_done else [record for _, record in checked]

    def probe(self, row: Row) -> Steps[Probe]:
        """What workers can do with a row's model."""
        (job,) = self._begin([row])
        return (yield from self.shelf.probe(job.painting, job.model, self.workers))

    def paint(self, rows: Sequence[Row]) -> Steps[list[RowRecord]]:
        """Paint a row, or those of a group, that were checked; returns the new records."""
        began = time.monotonic()
        jobs, records = self._begin(rows), [self.book.records[row.name] for row in rows]
        inputs = [inputs_of(job) for job in jobs]
        for place, job in enumerate(jobs):
            records[place] = self._take(job, records[place])
        urls = yield from paint_posters(jobs, NO_TELLING)
        done = []
        for url, record, made_of in zip(urls, records, inputs, strict=True):
            assert url is not None
            done.append((yield from self._finished(url, record, made_of, began)))
        return done

    def _begin(self, rows: Sequence[Row]) -> list[PosterJob]:
        configs = [row.config for row in rows if row.config is not None]
        return begin_group(configs, self.shelf, self.workers)

    def _checked(self, job: PosterJob, known: RowRecord, fresh: RowRecord) -> tuple[bool, RowRecord]:
        """Whether a row is done, and its record where it is to be painted."""
        job.check()
        inputs, canvas = inputs_of(job), job.composition.scene.canvas
        is_same = known.settings == fresh.settings and known.inputs == inputs
        is_done = is_same and known.status == "done" and is_there(job.config, fresh.url, known.pixels)
        fresh = replace(fresh, inputs=inputs, size=(canvas.poster_width, canvas.poster_height))
        return is_done, replace(fresh, attempts=known.attempts) if is_same else fresh

    def _take(self, job: PosterJob, record: RowRecord) -> RowRecord:
        """Make room for a poster in its folder, and keep that it was begun; returns the record."""
        drop_if_other(job, record)
        digest = job.identity(job.unplanned_task).picture_digest
        is_own = is_new(job.config.out) or record.job == digest
        record = replace(record, attempts=record.attempts + 1, job=digest if is_own else None)
        self.book.write(record)
        return record

    def _finished(self, url: str, record: RowRecord, inputs: Inputs, began: float) -> Steps[RowRecord]:
        """The record of a row whose poster is painted; the poster's thumbnail is made."""
        finished = FinishedPoster.at(url)
        yield from show_small(finished, join(self.book.url, "thumbs", f"{record.name}.jpg"))
        return replace(
            record,
            status="done",
            stage="",
            reason="",
            inputs=inputs,
            seconds=time.monotonic() - began,
            pixels=finished.manifest.pixels_digest,
            error=finished.manifest.measured_error,
        )


def refused(record: RowRecord, stage: Stage, reason: str) -> RowRecord:
    """The record of a row that will not be painted."""
    return replace(record, status="refused", stage=stage, reason=reason)


def inputs_of(job: PosterJob) -> Inputs:
    """Digests of what a poster is made of."""
    others = [url for url in (job.config.statistics, job.config.keep_from) if url]
    digests = [FinishedPoster.at(url).manifest.pixels_digest for url in others]
    content = job.composition.content
    return Inputs(
        model=job.model.packed.digest,
        style=job.style.digest,
        content=content.digest if content else None,
        threads=job.config.threads,
        statistics=" ".join(digests) or None,
        group=job.group,
    )


def is_there(config: PosterConfig, url: str, pixels: str | None) -> bool:
    """Whether a poster of that digest is finished, and its files are there."""
    try:
        poster = FinishedPoster.find(url)
    except ValueError:
        return False
    names = names_in(url)
    expected = {name.rstrip("/") for name in file_names(config)} | ({"sheet.png"} if config.sheet else set())
    return poster is not None and poster.manifest.pixels_digest == pixels and expected <= names


def drop_if_other(job: PosterJob, record: RowRecord) -> None:
    """Remove what the row painted before its settings or its pictures were changed.

    Raises:
        ValueError: if its folder holds what this row did not paint.
    """
    url = job.config.out
    data = read_object(join(url, IDENTITY))
    if data is None:
        return
    begun = PosterIdentity.from_bytes(data, join(url, IDENTITY))
    is_same = begun.picture_digest == job.identity(job.unplanned_task).picture_digest
    same_plan = job.config.tile in (None, begun.plan.tile) and job.config.keep in (None, begun.plan.keep)
    if is_same and same_plan:
        return
    require(
        record.job == begun.picture_digest,
        "a folder that is new, or that this row has painted",
        f"another poster in {url}",
        "remove it, or name the row otherwise",
    )
    for name in sorted(names_in(url), key=lambda name: name == IDENTITY):  # last what says that it may be removed
        remove(join(url, name))
