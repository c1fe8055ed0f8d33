"""`magic poster`: a registered model -> a plan -> tiles on many workers -> pictures and a viewer."""

from cluster.ray_session import count_cpus, ray_session
from jobs.models.lookup import find_model
from jobs.posters.delivery import deliver
from jobs.posters.poster_job import PosterJob
from jobs.settings.poster_config import PosterConfig
from pipelines.painting.painter import paint
from pipelines.painting.probe import probe
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.pyramid import build_pyramid
from pipelines.storage.claims import claim
from pipelines.storage.outputs import require_folder


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
        claim(task.store.url, job.identity(task), "the poster's folder (--out)")
        task.store.create(task.layers)
        statistics = paint(
            task, job.frozen_statistics, num_workers=job.num_workers, gpus_per_worker=job.gpus_per_worker
        )
        build_pyramid(task.store, task.store.layers, num_workers=config.workers or count_cpus())
        finished = FinishedPoster(task.store.url, job.manifest(task, statistics))
        return deliver(config, finished, job.measure_error(finished, task, measured))
