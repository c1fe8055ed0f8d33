"""Posters of one group, for walls and triptychs that have to match: in one tone, and by common statistics.

Each norm's mean and variance cover the canvases of all of them, and every content is brought into the style's tone from
the tone that they have together. So what is equal in two contents is equal in the posters, wherever only the norms
could have told them apart.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from jobs.posters.composition import content_tone, read_content
from jobs.posters.poster_job import PosterJob
from jobs.posters.render_workers import RenderWorkers
from jobs.posters.shelf import Shelf
from jobs.settings.poster_config import PosterConfig
from magic.checks import require
from pipelines.pictures.tone import Tone, pooled


def begin_group(configs: Sequence[PosterConfig], shelf: Shelf, workers: RenderWorkers) -> list[PosterJob]:
    """Read what the posters of a group are made of, within a Ray session. A group of one is a poster of its own.

    Args:
        configs: the settings of each, in the order in which their statistics are merged.
        shelf: what they share with other posters.
        workers: that will paint them.

    Raises:
        ValueError: for one that could not be painted by itself, see PosterJob.begin, or that cannot share statistics
            with the others.
    """
    if len(configs) == 1:
        return [PosterJob.begin(configs[0], shelf, workers)]
    bad = next((config.mode for config in configs if config.statistics_mode != "exact"), None)
    require(bad is None, "a group painted exactly, by its own statistics", f"mode {bad}", "leave out mode, or group")
    tone = _common_tone(configs)
    jobs = [PosterJob.begin(config, shelf, workers, tone) for config in configs]
    _require_alike(jobs)
    members = [job.identity(job.unplanned_task).picture_digest for job in jobs]
    digest = hashlib.sha256(json.dumps(members).encode()).hexdigest()
    return [replace(job, group=digest) for job in jobs]


def _common_tone(configs: Sequence[PosterConfig]) -> Tone | None:
    """The tone of all contents together, as large as they are shown."""
    contents = [read_content(config)[0] for config in configs if config.content is not None]
    return pooled((each.height * each.width, content_tone(each)) for each in contents) if contents else None


def _require_alike(jobs: Sequence[PosterJob]) -> None:
    first = jobs[0]
    for job in jobs[1:]:
        same = {
            "model": job.model.packed.digest == first.model.packed.digest,
            "style": job.style.digest == first.style.digest,
            "templates": job.composition.scene.memory.templates == first.composition.scene.memory.templates,
            "precision": job.config.precision == first.config.precision,
        }
        differs = [name for name, is_same in same.items() if not is_same]
        require(
            not differs,
            "one model, style, memory set (templates, seed, mirror, rotate) and precision in a group",
            f"another {' and another '.join(differs)} for {job.config.out}",
            "give these rows the same settings, or other groups",
        )
