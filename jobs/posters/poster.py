"""`magic poster`: a registered model -> a plan -> tiles on many workers -> pictures and a viewer."""

import logging
from collections.abc import Callable, Sequence

from cluster.ray_session import ray_session
from jobs.posters.delivery import deliver, file_names
from jobs.posters.poster_job import PosterJob
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.poster_config import PosterConfig
from magic.checks import printable, shown
from pipelines.painting.painter import paint
from pipelines.painting.poster_task import PosterTask, are_painted
from pipelines.painting.probe import Probe
from pipelines.posters.checking import drop_damaged
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import PosterIdentity
from pipelines.posters.poster_store import PosterStore
from pipelines.posters.pyramid import build_pyramid
from pipelines.storage.claims import IDENTITY, claim
from pipelines.storage.outputs import require_folder
from pipelines.workers.functions import few_here
from pipelines.workers.stages import Steps

log = logging.getLogger(__name__)
MAX_NAMED = 5
"""Damaged files that are named one by one."""


def poster(config: PosterConfig) -> str | None:
    """Render a poster, or what is missing of it; returns its folder's URL, or None for a dry run.

    Raises:
        ValueError: for an unknown model, sources without pictures, a plan that cannot be carried out, or an output
            folder that belongs to another job.
        RuntimeError: if tiles keep failing; the rest is done and kept.
    """
    require_folder(config.out)
    shelf = Shelf(config.cluster)
    shelf.model(config.model)
    with ray_session(config.cluster):
        workers = RenderWorkers.choose(config.workers, threads=config.threads, gpu_share=config.gpu_share)
        job = PosterJob.begin(config, shelf, workers)
        job.check()
        with workers.pool() as pool:
            (url,) = pool.do(few_here(paint_posters([job]), workers.num_workers))
    if url is not None:
        print(f"wrote {', '.join(file_names(config)) or 'the store'} in {printable(url)}")
    return url


def paint_posters(jobs: Sequence[PosterJob], tell: Callable[[str], None] = print) -> Steps[list[str | None]]:
    """Render a checked poster, or those of a group, or what is missing of them: a work.

    Args:
        jobs: the posters.
        tell: shows the plan of each.

    Returns:
        The URL of each one's folder; None for a dry run.

    Raises:
        ValueError: for a plan that cannot be carried out, or an output folder that belongs to another job.
        RuntimeError: if tiles keep failing; the rest is done and kept.
    """
    is_dry = jobs[0].config.dry_run
    begun = [None if is_dry else _take_begun(job) for job in jobs]
    tasks = [task for task in begun if task is not None]
    earlier = [known for task in tasks if (known := FinishedPoster.find(task.store.url)) is not None]
    is_finished = len(earlier) == len(jobs) and are_painted(tasks)
    if is_finished:  # no worker need be asked what it can do
        tell("\n".join(f"{shown(task.store.url)} is painted: only missing files are written" for task in tasks))
    else:
        probes, tasks = yield from _plan(jobs, tell)
        if is_dry:
            return [None] * len(jobs)
        for job, task, taken in zip(jobs, tasks, begun, strict=True):
            if taken is None:
                take_folder(task.store, job.identity(task))
    for task in tasks:
        task.store.create(task.layers)
    paintings = [job.painting.planned(task) for job, task in zip(jobs, tasks, strict=True)]
    statistics = yield from paint(paintings, jobs[0].frozen_statistics)
    urls: list[str | None] = []
    for number, (job, task) in enumerate(zip(jobs, tasks, strict=True)):
        yield from build_pyramid(task.store, task.store.layers)
        finished = FinishedPoster(task.store.url, job.manifest(task, statistics))
        if is_finished:
            error = earlier[number].manifest.measured_error
        else:
            error = yield from job.measure_error(finished, task, probes[number])
        urls.append((yield from deliver(job.config, finished, error)))
    return urls


def _take_begun(job: PosterJob) -> PosterTask | None:
    """The task of a poster that was begun, whose folder is taken; None for a new one."""
    task = job.begun_task
    if task is not None:
        take_folder(task.store, job.identity(task))
    return task


def _plan(jobs: Sequence[PosterJob], tell: Callable[[str], None]) -> Steps[tuple[list[Probe], list[PosterTask]]]:
    """What a worker can do for each of the posters, and how each will be painted."""
    probes, tasks = [], []
    for job in jobs:
        measured = yield from job.shelf.probe(job.painting, job.model, job.workers)
        plan = job.choose_plan(measured)
        task = job.planned_task(plan)
        tell(job.describe(task, plan, measured))
        job.require_room(task, measured)
        probes.append(measured)
        tasks.append(task)
    return probes, tasks


def take_folder(store: PosterStore, identity: PosterIdentity) -> None:
    """Make a poster's folder this job's, or find that it is; what is damaged in it goes, to be made anew.

    Raises:
        ValueError: if the folder holds another job's work, or anything else.
    """
    folder, data = store.folder, identity.to_bytes()
    is_damaged = bool(folder.recorded(IDENTITY)) and folder.read(IDENTITY) is None
    if is_damaged and folder.is_sound(IDENTITY, data):  # this job began here, as its digest tells
        folder.write(IDENTITY, data)
    claim(store.url, identity, "the poster's folder (--out)")
    if folder.read(IDENTITY) is None:
        folder.replace(IDENTITY, data)
    damaged = [IDENTITY] * is_damaged + drop_damaged(store)
    for each in damaged[:MAX_NAMED]:
        log.warning("made anew in %s: %s", shown(store.url), each)
    if damaged[MAX_NAMED:]:
        log.warning("made anew in %s: %d more such files", shown(store.url), len(damaged) - MAX_NAMED)
