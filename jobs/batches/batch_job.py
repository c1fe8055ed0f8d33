"""`magic batch`: many posters on one set of workers, each as `magic poster` would paint it."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cluster.ray_session import ray_session
from jobs.batches.batch_tracking import tracked
from jobs.batches.contact_page import write_page
from jobs.batches.row_painting import RowPainter
from jobs.batches.row_records import BatchIdentity, Book, RowRecord
from jobs.batches.row_tables import FORMATS, format_of
from jobs.batches.rows import Row, grouped, read_rows
from jobs.exit_codes import PartlyFailedError
from jobs.posters.delivery import expected_files
from jobs.posters.poster_job import PosterJob
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.batch_config import BatchConfig
from magic.checks import first_line, printable, require, typed_line
from pipelines.painting.disk_space import require_room, stored_bytes
from pipelines.progress import Progress, progress, quiet
from pipelines.quantities import duration, gigabytes
from pipelines.storage.claims import claim
from pipelines.storage.door import absolute
from pipelines.storage.outputs import require_folder
from pipelines.workers.pool import WorkerPool
from pipelines.workers.stages import Ended, Steps, Work

log = logging.getLogger(__name__)
WRITE_EVERY_S = 10.0
"""So often the page and the table of results are brought up to date."""
MAX_NAMED = 5
USUAL_ERRORS = (ValueError, OSError, RuntimeError)
"""That say all in their text. Of others, which are faults of ours, the type is told, too."""


def batch(config: BatchConfig) -> str | None:
    """Paint what is missing of a batch; returns its folder's URL, or None for a dry run.

    Raises:
        ValueError: for a table that cannot be used, or a folder that holds anything else.
        PartlyFailedError: if some rows were refused or failed; all others are done.
        RuntimeError: if none could be painted.
    """
    require_folder(config.out)
    is_inside = config.table is not None and absolute(config.table).startswith(f"{absolute(config.out)}/")
    require(not is_inside, "a table outside of --out, whose tables are written anew", config.table, "copy it first")
    rows = read_rows(config)
    with ray_session(config.cluster):
        workers = RenderWorkers.choose(config.workers, threads=config.threads, gpu_share=config.gpu_share)
        job = BatchJob(config, rows, RowPainter(Book(config.out), Shelf(config.cluster), workers))
        todo = job.check()
        with workers.pool() as pool:
            if config.dry_run:
                print("\n".join(job.plan_lines(todo, pool)))
                return None
            job.begin()
            job.paint(todo, pool)
    job.raise_for_failures()
    return config.out


@dataclass(frozen=True)
class BatchJob:
    """A batch that is carried out."""

    config: BatchConfig
    rows: Sequence[Row]
    painter: RowPainter

    @property
    def book(self) -> Book:
        """What became of the rows."""
        return self.painter.book

    def check(self) -> list[Row]:
        """Look at all rows, and say what there is to do; returns the rows to paint.

        Raises:
            ValueError: if the disk has no room for them all.
        """
        self.book.open(self.rows)
        with progress("checking rows", len(self.rows), "row", leave=False) as shown, quiet():
            for rows in grouped(self.rows):
                for record in self.painter.check(rows):
                    self.book.records[record.name] = record
                    shown.update()
        records = self.book.records
        todo = [row for row in self.rows if records[row.name].status == "pending"]
        num_done, num_refused = self.book.count("done"), self.book.count("refused")
        skipped = f", {num_done} done before and skipped" if num_done else ""
        refused = f", {num_refused} refused" if num_refused else ""
        where = f"batch of {len(self.rows)} posters in {printable(self.config.out)}"
        print(f"{where}: {len(todo)} to paint{skipped}{refused}")
        for record in [each for each in records.values() if each.status == "refused"][:MAX_NAMED]:
            log.warning("%s is refused: %s", printable(record.name), record.reason)
        if todo and not num_done:  # later, the disk holds what is done, and each poster is checked before it begins
            require_room(self.config.out, 0, self._expected_files(todo))
        return todo

    def begin(self) -> None:
        """Make the folder this batch's, and keep what was found.

        Raises:
            ValueError: if the folder holds anything else.
        """
        claim(self.config.out, BatchIdentity(), "the batch's folder (--out)")
        for record in list(self.book.records.values()):
            self.book.write(record)
        self.write_results()

    def paint(self, todo: Sequence[Row], pool: WorkerPool) -> None:
        """Paint rows, and keep what becomes of each."""
        works = {Work(rows[0].group or rows[0].name, self.painter.paint(rows)): rows for rows in grouped(todo)}
        written_at = time.monotonic()
        try:
            self._probe(todo, pool)
            with (
                tracked(self.book, len(todo), self.config) as told,
                progress("painting", len(todo), "poster") as shown,
                quiet(),
            ):
                for ended in pool.run(works, self.config.open):
                    for row in works[ended.work]:
                        self._record(row, ended, shown)
                        told.ended(row.name)
                    if ended.error and self.config.fail_fast:
                        break
                    if time.monotonic() > written_at + WRITE_EVERY_S:
                        self._show_results()
                        told.show()
                        written_at = time.monotonic()
        finally:
            self.write_results()

    def _show_results(self) -> None:
        """Bring table and page up to date, if that is possible just now."""
        try:
            self.write_results()
        except OSError as error:
            log.warning("the page and the table of results are not up to date: %s", first_line(error))

    def write_results(self) -> None:
        """Write the table of results, that of the failed rows, and the page."""
        form = format_of(self.config.table) if self.config.table else FORMATS[0]
        self.book.write_tables(self.rows, form)
        write_page(self.book, self.rows)

    def raise_for_failures(self) -> None:
        """Say how it ended.

        Raises:
            PartlyFailedError: if some rows were refused or failed.
            RuntimeError: if none is done.
        """
        done = self.book.count("done")
        bad = [record for record in self.book.records.values() if record.status != "done"]
        bad.sort(key=lambda record: record.status == "pending")  # what was not begun has no reason
        print(f"{done} of {len(self.rows)} posters are done: {printable(self.config.out)}/index.html")
        if not bad:
            return
        first = bad[0]
        message = (
            f"{len(bad)} of {len(self.rows)} posters are not done; {first.name}: {first.reason or 'not begun'}; "
            "failed.* in the folder has the rows that failed, and the same command tries them again"
        )
        raise PartlyFailedError(message) if done else RuntimeError(message)

    def plan_lines(self, todo: Sequence[Row], pool: WorkerPool) -> list[str]:
        """The plan of the whole."""
        self._probe(todo, pool)
        plans = [ended.value for ended in pool.run(self._planned(todo), self.config.open) if ended.value]
        size_bytes = sum(plan.stored_bytes for plan in plans) + sum(self._expected_files(todo).values())
        seconds, tiles = sum(plan.seconds for plan in plans), sum(plan.tiles for plan in plans)
        return [
            f"  rows     {len(self.rows)}: {len(todo)} to paint, {self.book.count('done')} done, "
            f"{self.book.count('refused')} refused",
            f"  canvases {sum(plan.pixels for plan in plans) / 1e6:.3g} megapixels in {tiles} tiles",
            f"  work     {sum(plan.flops for plan in plans):.3g} floating-point operations on "
            f"{self.painter.workers.num_workers} workers: about {duration(seconds)} of painting",
            f"  memory   {gigabytes(max((plan.worker_bytes for plan in plans), default=0))} of each worker at most",
            f"  disk     about {gigabytes(size_bytes)}",
        ]

    def _probe(self, todo: Sequence[Row], pool: WorkerPool) -> None:
        """Measure what workers can do, once for each kind of row: rows that begin together would all do so."""
        by_size = sorted(todo, key=lambda row: self.book.records[row.name].size or (0, 0))  # a small one says less
        kinds = {
            (row.config.model, row.config.templates, row.config.precision, row.config.top): row
            for row in by_size
            if row.config is not None
        }
        with quiet():
            for _ in pool.run((Work(row.name, self.painter.probe(row)) for row in kinds.values()), 1):
                pass  # what fails here fails when the row is painted, and is told then

    def _planned(self, todo: Sequence[Row]) -> Iterator[Work["RowPlan"]]:
        return (Work(row.name, self._plan(row)) for row in todo)

    def _plan(self, row: Row) -> "Steps[RowPlan]":
        assert row.config is not None
        job = PosterJob.begin(row.config, self.painter.shelf, self.painter.workers)
        measured = yield from job.shelf.probe(job.painting, job.model, job.workers)
        plan = job.choose_plan(measured)
        stored = sum(stored_bytes(job.planned_task(plan), measured).values())
        pixels = job.composition.scene.canvas.box.area
        return RowPlan(plan.flops, plan.seconds, plan.worker_bytes, stored, pixels, len(plan.grid))

    def _record(self, row: Row, ended: Ended[list[RowRecord]], shown: Progress) -> None:
        """Keep what became of a row."""
        error = ended.error
        if error is None:
            record = next(record for record in ended.value or () if record.name == row.name)
        else:
            reason = first_line(error) if isinstance(error, USUAL_ERRORS) else typed_line(error)
            record = replace(self.book.records[row.name], status="failed", stage="painting", reason=reason)
            log.warning("%s failed: %s", printable(row.name), reason)
        self.book.write(replace(record, tasks=ended.work.num_done))
        num_failed = self.book.count("failed")
        shown.note = f"{num_failed} failed" if num_failed else ""
        shown.update()

    def _expected_files(self, todo: Sequence[Row]) -> dict[str, int]:
        """Names and sizes of the files of these rows."""
        files: dict[str, int] = {}
        for row in todo:
            size, config = self.book.records[row.name].size, row.config
            if size is not None and config is not None:
                files |= {f"{row.name}/{name}": each for name, each in expected_files(config, size[1], size[0]).items()}
        return files


@dataclass(frozen=True)
class RowPlan:
    """What a row takes."""

    flops: int
    seconds: float
    worker_bytes: int
    stored_bytes: int
    pixels: int
    """Of its canvas."""
    tiles: int
