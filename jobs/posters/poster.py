"""`magic poster`: a registered model -> a plan -> tiles on many workers -> pictures and a viewer."""

import logging

from cluster.ray_session import count_cpus, ray_session
from jobs.models.lookup import find_model
from jobs.posters.delivery import deliver
from jobs.posters.poster_job import PosterJob
from jobs.settings.poster_config import PosterConfig
from magic.checks import shown
from pipelines.painting.painter import paint
from pipelines.painting.probe import probe
from pipelines.posters.checking import drop_damaged
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import PosterIdentity
from pipelines.posters.poster_store import PosterStore
from pipelines.posters.pyramid import build_pyramid
from pipelines.storage.claims import IDENTITY, claim
from pipelines.storage.outputs import require_folder

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
    model = find_model(config.model, config.cluster)
    with ray_session(config.cluster):
        job = PosterJob.begin(config, model)
        job.check()
        measured = probe(job.unplanned_task, job.num_workers, job.gpus_per_worker)
        plan = job.choose_plan(measured)
        task = job.planned_task(plan)
        print(job.describe(task, plan, measured))
        job.require_room(task, measured)
        if config.dry_run:
            return None
        take_folder(task.store, job.identity(task))
        task.store.create(task.layers)
        statistics = paint(
            task, job.frozen_statistics, num_workers=job.num_workers, gpus_per_worker=job.gpus_per_worker
        )
        build_pyramid(task.store, task.store.layers, num_workers=config.workers or count_cpus())
        finished = FinishedPoster(task.store.url, job.manifest(task, statistics))
        return deliver(config, finished, job.measure_error(finished, task, measured))


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
