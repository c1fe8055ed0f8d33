"""One row of a batch: checked before any row is painted, then painted as a work of the batch's pool."""

import hashlib
import json
import time
from dataclasses import dataclass, replace

from ray.exceptions import RayError

from jobs.batches.row_records import Book, Inputs, RowRecord
from jobs.batches.rows import Row
from jobs.posters.delivery import file_names
from jobs.posters.poster import paint_poster
from jobs.posters.poster_job import PosterJob
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.poster_config import PosterConfig
from magic.checks import first_line, require
from pipelines.export.thumbnails import write_thumbnail
from pipelines.painting.probe import Probe
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import PosterIdentity
from pipelines.storage.claims import IDENTITY
from pipelines.storage.door import is_new, join, names_in, read_object, remove
from pipelines.storage.records import without
from pipelines.workers.functions import Shared, apply_to_each
from pipelines.workers.stages import Steps

PLAN = frozenset({"plan.tile", "plan.keep"})
"""What a begun poster's identity says of how it is painted: it goes on so, whatever would be chosen now."""
NO_TELLING = lambda text: None  # noqa: E731


@dataclass(frozen=True)
class RowPainter:
    """Checks and paints the rows of a batch."""

    book: Book
    shelf: Shelf
    workers: RenderWorkers

    def check(self, row: Row) -> RowRecord:
        """What is known of a row now: done, refused or pending. Nothing is painted.

        A row is done if its record says so of the same settings and inputs, and its poster and files are there.
        """
        known = self.book.records[row.name]
        fresh = replace(self.book.fresh(row), job=known.job)
        if row.config is None:
            return replace(fresh, status="refused", stage="settings", reason=row.refusal)
        try:
            job = PosterJob.begin(row.config, self.shelf, self.workers)
            job.check()
            inputs = inputs_of(job)
            is_same = known.settings == fresh.settings and known.inputs == inputs
            is_done = is_same and known.status == "done" and is_there(row.config, fresh.url, known.pixels)
        except (ValueError, OSError, RuntimeError, RayError) as error:
            return replace(fresh, status="refused", stage="inputs", reason=first_line(error))
        if is_done:
            return known
        canvas = job.composition.scene.canvas
        fresh = replace(fresh, inputs=inputs, size=(canvas.poster_width, canvas.poster_height))
        return replace(fresh, attempts=known.attempts) if is_same else fresh

    def probe(self, row: Row) -> Steps[Probe]:
        """What workers can do with a row's model."""
        assert row.config is not None
        job = PosterJob.begin(row.config, self.shelf, self.workers)
        return (yield from self.shelf.probe(job.painting, job.model, self.workers))

    def paint(self, row: Row) -> Steps[RowRecord]:
        """Paint a row that was checked; returns its new record."""
        assert row.config is not None
        began = time.monotonic()
        record = self.book.records[row.name]
        job = PosterJob.begin(row.config, self.shelf, self.workers)
        inputs = inputs_of(job)
        drop_if_other(job, record)
        digest = job_digest(job.identity(job.unplanned_task))
        is_own = is_new(job.config.out) or record.job == digest
        record = replace(record, attempts=record.attempts + 1, job=digest if is_own else None)
        self.book.write(record)
        url = yield from paint_poster(job, NO_TELLING)
        assert url is not None
        finished = FinishedPoster.at(url)
        thumb = Thumbnail(finished, join(self.book.url, "thumbs", f"{row.name}.jpg"))
        yield from apply_to_each(Shared(thumb), show_small, [0], "thumbnail")
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


@dataclass(frozen=True)
class Thumbnail:
    """A poster that is to be shown small."""

    poster: FinishedPoster
    url: str


def show_small(thumb: Thumbnail, number: int) -> None:
    """Write its thumbnail."""
    write_thumbnail(thumb.poster.whole("output", thumb.poster.store.num_levels - 1), thumb.url)


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
    )


def job_digest(identity: PosterIdentity) -> str:
    """What tells a poster from others, however it is painted."""
    return hashlib.sha256(json.dumps(without(identity.deciding(), PLAN), sort_keys=True).encode()).hexdigest()


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
    is_same = job_digest(begun) == job_digest(job.identity(job.unplanned_task))
    same_plan = job.config.tile in (None, begun.plan.tile) and job.config.keep in (None, begun.plan.keep)
    if is_same and same_plan:
        return
    require(
        record.job == job_digest(begun),
        "a folder that is new, or that this row has painted",
        f"another poster in {url}",
        "remove it, or name the row otherwise",
    )
    for name in sorted(names_in(url), key=lambda name: name == IDENTITY):  # last what says that it may be removed
        remove(join(url, name))
