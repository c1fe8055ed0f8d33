"""`magic poster`: a registered model -> a plan -> tiles on many workers -> pictures and a viewer."""

import importlib.metadata
import logging
from dataclasses import asdict, replace
from typing import Any

from PIL import Image

from cluster.code_version import code_version
from cluster.ray_session import count_cpus, count_gpus, ray_session, require_cpus
from jobs.models.lookup import Model, find_model
from jobs.posters.composition import Composition, compose, same_pictures
from jobs.settings.poster_config import PosterConfig
from magic.checks import require
from magic.geometry import Box
from magic.networks.generator import Statistics
from magic.scene.reference import region_boxes
from magic.scene.scene import plan_grid
from magic.sheets import Panel, sheet
from pipelines.export import attribution
from pipelines.export.deepzoom import export_deepzoom
from pipelines.export.picture_file import ExportOptions, check_format, expected_bytes, export_file
from pipelines.export.png import encode_png
from pipelines.painting.comparison import StoreError, check_regions
from pipelines.painting.painter import PosterTask, on_a_worker, paint, renderer_here
from pipelines.painting.plan import (
    TILES_PX,
    Plan,
    Planner,
    area,
    gigabytes,
    plan_lines,
    require_a_tile,
    require_room,
    stored_bytes,
)
from pipelines.painting.probe import Probe, probe, workers_on_a_gpu
from pipelines.pictures.sources import Source, survey
from pipelines.store.finished_poster import PAINTED, FinishedPoster, digest_of
from pipelines.store.poster_store import PosterStore
from pipelines.store.pyramid import halve
from pipelines.store.storage import JOB, MANIFEST, absolute, claim, exists, join, read_json, write_json, write_object

log = logging.getLogger(__name__)
SHEET_PANEL_PX = 480
MOST_TEMPLATES_SHOWN = 24
ENDINGS = {"png": ".png", "tiff": ".tif", "jpeg": ".jpg"}
CHECKED_REGIONS, REGION_PX = 2, 128
"""Painted again at the end, for the manifest's measured error."""
VIEWER_QUALITY = 88
FILES = "files.json"
"""How each of the folder's files was written."""
LIBRARIES = ("torch", "ray", "zarr", "numpy")


def poster(config: PosterConfig) -> str | None:
    """Render a poster, or what is missing of it; returns its folder's URL, or None for a dry run.

    Raises:
        ValueError: for an unknown model, sources without pictures, a plan that cannot be carried out, or an output
            folder that belongs to another job.
        RuntimeError: if tiles keep failing; the rest is done and kept.
    """
    model = find_model(config.model, config.cluster)
    with ray_session(config.cluster):
        wanted = model.style(config.style, config.style_scale, config.style_shares)
        style = survey(wanted, min_side_px=1, name="style")
        made = compose(config, model, style)
        check_formats(config, made)
        gpus = count_gpus()
        require_cpus(config.threads, "a render worker")
        gpus_per_worker = config.gpu_share if gpus else 0.0
        num_workers = config.workers or default_workers(config, gpus)
        task = begin(config, made, model)
        require_a_start(config, made, task)
        frozen = frozen_statistics(config, made, task, style) if config.statistics else None
        seen = probe(task, num_workers, gpus_per_worker)
        plan = make_plan(config, made, task, seen, num_workers)
        task = planned(task, plan)
        print(describe(config, made, task, plan, seen, num_workers))
        require_room(task.store.url, sum(stored_bytes(task, seen).values()), export_sizes(config, made))
        if config.dry_run:
            return None
        job = describe_job(config, made, task, frozen)
        claim(task.store.url, job, "the poster's folder (--out)")
        task.store.create(task.layers)
        statistics = paint(task, frozen, num_workers=num_workers, gpus_per_worker=gpus_per_worker)
        finished = FinishedPoster(task.store.url, describe_poster(job, task, style, statistics))
        halve(task.store, task.store.layers, num_workers=config.workers or count_cpus())
        measured = measure_error(config, made, finished, task, seen, gpus_per_worker)
        return deliver(config, finished, measured)


def default_workers(config: PosterConfig, gpus: int) -> int:
    """As many as the cluster has room for: on its GPUs, if it has any, or its CPUs."""
    return gpus * workers_on_a_gpu(config.gpu_share) or max(count_cpus() // config.threads, 1)


def begin(config: PosterConfig, made: Composition, model: Model) -> PosterTask:
    """The task before it is planned: its tiles are the smallest there are."""
    generator, canvas = made.generator, made.scene.canvas
    planes = 1 if generator.config.system == "mosaic" else len(made.scene.memory.templates)
    require(config.top <= planes, f"top <= {planes}, as many as the model weighs", config.top, "lower --top")
    grid = plan_grid(generator, canvas, generator.config.multiple)
    return PosterTask(
        generator=model.packed,
        sweeps={net: generator.num_statistics(net) for net in generator.nets},
        scene=made.scene,
        grid=grid,
        store=PosterStore(absolute(config.out), grid, canvas, config.top),
        threads=config.threads,
        precision=config.precision,
        statistics=config.mode if config.mode in ("preview", "frozen") else "exact",
    )


def require_a_start(config: PosterConfig, made: Composition, task: PosterTask) -> None:
    """Refuse what cannot end well whatever a worker's probe may say."""
    require_room(task.store.url, 0, export_sizes(config, made))
    canvas = made.scene.canvas
    smallest = max(canvas.height, canvas.width) if config.mode == "whole" else config.tile or TILES_PX[0]
    if config.memory_gb:
        require_a_tile(made.generator, made.scene, config.precision, smallest, int(config.memory_gb * 1e9))


def make_plan(config: PosterConfig, made: Composition, task: PosterTask, seen: Probe, num_workers: int) -> Plan:
    """The fastest way that fits; that of the job in the folder where it left off."""
    tile, keep = config.tile, config.keep
    memory = int(config.memory_gb * 1e9) if config.memory_gb else seen.memory_bytes
    planner = Planner(made.generator, made.scene, task, seen, num_workers, memory)
    there = read_json(join(task.store.url, JOB))
    begun = there.get("plan") if isinstance(there, dict) else None
    if begun is not None:
        return planner.again(tile or begun["tile"], keep=begun["keep"] if keep is None else keep)
    whole = {"auto": None, "whole": True}.get(config.mode, False)
    if (tile, keep) != (None, None):
        whole = False
    keeps = (False,) if config.mode in ("frozen", "preview") else (False, True) if keep is None else (keep,)
    return planner.choose((tile,) if tile else TILES_PX, keeps, whole=whole)


def planned(task: PosterTask, plan: Plan) -> PosterTask:
    """The task as it will be carried out."""
    store = replace(task.store, grid=plan.grid)
    return replace(task, grid=plan.grid, store=store, keep=plan.keep, keep_bytes=plan.keep_bytes)


def check_formats(config: PosterConfig, made: Composition) -> None:
    """Refuse, before any work, what could not be written after it.

    Raises:
        ValueError: for a picture too large for its format, an impossible printed width, or the content of a poster
            without one.
    """
    canvas = made.scene.canvas
    there = made.scene.content is not None or "content" not in config.also
    require(there, "layers that the poster has", "content", "leave it out of --also")
    ExportOptions(width_cm=config.width_cm).dots_per_inch(canvas.poster_width)
    for name in files_of(config):
        check_format(name, canvas.poster_height, canvas.poster_width)


def files_of(config: PosterConfig) -> dict[str, str]:
    """The files that are written into the poster's folder, each with its layer."""
    base = "preview" if config.mode == "preview" else "poster"
    names = {layer: layer for layer in config.also} | {"output": base}
    endings = [ENDINGS[kind] for kind in config.formats if kind in ENDINGS]
    return {name + ending: layer for layer, name in names.items() for ending in endings}


def export_sizes(config: PosterConfig, made: Composition) -> dict[str, int]:
    """Of each file about how large it will be, in bytes; of a viewer, as of JPEGs of all layers."""
    height, width = made.scene.canvas.poster_height, made.scene.canvas.poster_width
    sizes = {name: expected_bytes(check_format(name, height, width), height, width) for name in files_of(config)}
    viewed = 4 * expected_bytes("jpeg", height, width)
    return sizes | ({"viewer/": viewed} if "viewer" in config.formats else {})


def describe(
    config: PosterConfig, made: Composition, task: PosterTask, plan: Plan, seen: Probe, num_workers: int
) -> str:
    """What will be done, for people."""
    canvas, model = made.scene.canvas, made.identity["model"]
    lines = [
        f"poster {canvas.poster_width} x {canvas.poster_height} px; folder {task.store.url}",
        f"  model    {model['uri']} ({model['digest'][:12]}), K = {len(made.scene.memory.templates)}",
        *plan_lines(task, plan, seen, num_workers),
    ]
    lines += [f"  file     {name}: about {gigabytes(size)}" for name, size in export_sizes(config, made).items()]
    if config.mode == "preview":
        lines.append("  PREVIEW  approximate: its colours differ from the exact poster's")
    return "\n".join(lines)


def describe_job(
    config: PosterConfig, made: Composition, task: PosterTask, frozen: Statistics | None
) -> dict[str, Any]:
    """What decides the poster's bytes."""
    return {
        "kind": "poster",
        **made.identity,
        "system": made.generator.config.system,
        "warp": made.generator.config.warp,
        "plan": {"tile": task.grid.core_px, "keep": task.keep},
        "statistics": task.statistics,
        "frozen": None if frozen is None else digest_of(frozen),
        "precision": config.precision,
        "threads": config.threads,
        "top": config.top,
    }


def frozen_statistics(config: PosterConfig, made: Composition, task: PosterTask, style: Source) -> Statistics:
    """Those of another poster, by the same model from the same templates.

    Raises:
        ValueError: if it is another model's, or of other templates.
    """
    assert config.statistics is not None
    other = FinishedPoster.at(config.statistics)
    require(not other.is_preview, "statistics of an exact poster", f"the preview {other.url}", "render it exactly")
    require(
        other.manifest["model"]["digest"] == made.identity["model"]["digest"],
        "statistics of a poster by the same model",
        other.manifest["model"]["uri"],
        "render one with it first",
    )
    require(
        other.templates == made.scene.memory.templates and same_pictures(other, style),
        "statistics of a poster from the same templates",
        f"others in {config.statistics}",
        "give its --style, --seed and --templates",
    )
    same = other.manifest["precision"] == config.precision
    require(same, f"statistics in {config.precision}", other.manifest["precision"], "give its --precision")
    return other.statistics(task.sweeps)


def describe_poster(job: dict[str, Any], task: PosterTask, style: Source, statistics: Statistics) -> dict[str, Any]:
    """What a finished poster's manifest says of it."""
    return {
        **job,
        "style": style.describe(),
        "tile": task.grid.core_px,
        "canvas": asdict(task.scene.canvas),
        "statistics_digest": digest_of(statistics),
        "versions": {"magic": code_version(), **{name: importlib.metadata.version(name) for name in LIBRARIES}},
    }


def measure_error(
    config: PosterConfig,
    made: Composition,
    finished: FinishedPoster,
    task: PosterTask,
    seen: Probe,
    gpus_per_worker: float,
) -> dict[str, Any] | None:
    """How far regions are from what is painted there anew; None of a preview, whose statistics are not the poster's,
    and where a region with all that it depends on would take more memory than a worker has.
    """
    memory = config.memory_gb * 1e9 if config.memory_gb else seen.memory_bytes
    region = Box(0, 0, REGION_PX, REGION_PX).shifted(task.scene.canvas.bleed_before, task.scene.canvas.bleed_before)
    *_, read = region_boxes(made.generator, task.scene.canvas.box, region)
    if finished.is_preview or area(read) * seen.peak_bytes > memory:
        return None
    error = on_a_worker(check_some_regions, task, finished, gpus_per_worker=gpus_per_worker)
    return {"regions": CHECKED_REGIONS, **error._asdict()}


def check_some_regions(task: PosterTask, finished: FinishedPoster) -> StoreError:
    """A few regions of a poster against themselves painted anew, in a worker's process."""
    return check_regions(finished, renderer_here(task), CHECKED_REGIONS, REGION_PX, seed=0)


def deliver(config: PosterConfig, finished: FinishedPoster, measured_error: dict[str, Any] | None) -> str:
    """Attribution, files and, last of all, the manifest that says that all is there. What is there is left alone."""
    num_workers = config.workers or count_cpus()
    attribute(config, finished, num_workers)
    export_files(config, finished)
    if "viewer" in config.formats:
        export_deepzoom(finished, join(finished.url, "viewer"), num_workers=num_workers, quality=VIEWER_QUALITY)
    if config.sheet:
        write_object(join(finished.url, "sheet.png"), encode_png(make_sheet(finished)))
    finished.store.tidy()
    write_json(join(finished.url, MANIFEST), finished.manifest | {"measured_error": measured_error})
    names = [*files_of(config), *(["viewer/"] if "viewer" in config.formats else [])]
    print(f"wrote {', '.join(names) or 'the store'} in {finished.url}")
    return finished.url


def attribute(config: PosterConfig, finished: FinishedPoster, num_workers: int) -> None:
    """Whose pictures the poster shows, if it shows any; and a warning for each that has too large a share."""
    if not finished.copies:
        return
    pictures = attribution.written(finished.url)
    if pictures is None:
        shares = attribution.attribute(finished, num_workers=num_workers)
        attribution.write(shares, finished.url)
        pictures = shares.largest_first
    for share in attribution.above(pictures, config.max_share) if config.max_share else ():
        log.warning("%s covers %.1f %% of the poster", share.url, 100 * share.share)


def export_files(config: PosterConfig, finished: FinishedPoster) -> None:
    """Write the files that are not there yet, or were written in another way."""
    note = join(finished.url, FILES)
    written = read_json(note) or {}
    for name, layer in files_of(config).items():
        how = {"layer": layer, "width_cm": config.width_cm}
        if written.get(name) != how or not exists(join(finished.url, name)):
            export_file(finished, layer, join(finished.url, name), ExportOptions(width_cm=config.width_cm))
            written[name] = how
            write_json(note, written)


def make_sheet(poster: FinishedPoster) -> Image.Image:
    """Content, poster, collage and labels over the templates, by number and colour, and the style pictures."""
    store, memory, colours = poster.store, poster.scene().memory, poster.colours
    level = next((n for n in range(store.num_levels) if max(store.size(n)) <= 2 * SHEET_PANEL_PX), store.num_levels - 1)
    painted = "preview, approximate" if poster.is_preview else "poster"
    titles = {"content": "content, as it was painted", "output": painted, "labels": "which template is where"}
    shown = [name for name in ("content", *PAINTED) if name in poster.layers]
    top = [Panel(titles.get(name, name), poster.whole(name, level)) for name in shown]
    corner = Box(0, 0, SHEET_PANEL_PX, SHEET_PANEL_PX)
    cut = [
        Panel(f"template {number}", memory.crop(number, corner), colours[number])
        for number in range(min(len(memory.templates), MOST_TEMPLATES_SHOWN))
    ]
    pieces = [
        Panel(f"style: {info['url'].rsplit('/', 1)[-1]}", poster.style_picture(number))
        for number, info in enumerate(poster.pictures[: 3 * len(top)])
    ]
    return sheet([top, *in_rows(cut, len(top)), *in_rows(pieces, len(top))], SHEET_PANEL_PX)


def in_rows(panels: list[Panel], width: int) -> list[list[Panel]]:
    """Panels in rows of a width."""
    return [panels[start : start + width] for start in range(0, len(panels), width)]
