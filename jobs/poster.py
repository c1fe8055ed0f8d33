"""`magic poster`: a registered model and a content picture -> tiles on many workers -> one picture."""

import hashlib
import importlib.metadata
from typing import Any

import numpy as np
from PIL import Image

from cluster.ray_session import count_cpus, count_gpus, ray_session, require_cpus
from jobs.config import PosterConfig
from jobs.models import Model, find_model
from magic.checkpoint import unpack_generator
from magic.config import require
from magic.generator import Net
from magic.memory import MemorySet, Template, draw_templates
from magic.norm import Moments
from magic.render import Scene, plan_canvas, plan_grid
from magic.sheets import Panel, palette, sheet
from magic.tiles import Box
from pipelines.crops import fixed_memory
from pipelines.export import encode_png, export_png
from pipelines.objects import MANIFEST, absolute, claim, join, read_json, write_json, write_object
from pipelines.poster import PosterStore
from pipelines.reading import read_single
from pipelines.sources import Source, survey
from pipelines.tiles import PosterTask, paint
from pipelines.tone import match_tone, tone_of

SHEET_PANEL_PX = 480
MOST_TEMPLATES_SHOWN = 24


def poster(config: PosterConfig) -> str | None:
    """Render a poster, or what is missing of it; returns its URL, or None for a dry run.

    Raises:
        ValueError: for an unknown model, sources without pictures, a tile that does not fit the model, or an
            output folder that belongs to another job.
        RuntimeError: if tiles keep failing; the rest is done and kept.
    """
    model = find_model(config.model, config.cluster)
    with ray_session(config.cluster):
        wanted = model.style(config.style, config.style_scale, config.style_shares)
        style = survey(wanted, min_side_px=1, name="style")
        task, content_digest = plan_task(config, model, style)
        gpus = count_gpus()
        num_workers = config.workers or gpus or max(count_cpus() // config.threads, 1)
        print(describe_plan(config, task, model, num_workers))
        if config.dry_run:
            return None
        require_cpus(config.threads, "a render worker")
        job = describe_job(config, task, model, style, content_digest)
        claim(task.store.url, job, "the poster's folder (--out)")
        task.store.create(("collage", "output") + (("weights",) if task.with_weights else ()))
        statistics = paint(task, num_workers=num_workers, use_gpu=gpus > 0)
        return deliver(config, task, job, style, statistics)


def plan_task(config: PosterConfig, model: Model, style: Source) -> tuple[PosterTask, str]:
    """Canvas, tiles and memory set; and the digest of the content's file."""
    generator = unpack_generator(model.packed)
    require(generator.config.guided, "a model that paints contents", f"{model.uri}, unguided", "use magic sample")
    content, digest = load_content(config)
    if tone_setting(config, model) == "match":
        content = match_tone(content, tone_of(content), style.tone)
    canvas = plan_canvas(generator, *content.shape[:2])
    grid = plan_grid(generator, canvas, config.tile)
    memory = choose_memory(config, model, style)
    store = PosterStore(absolute(config.out), grid)
    scene = Scene(content, memory, canvas)
    task = PosterTask(
        generator=model.packed,
        sweeps={net: generator.num_statistics(net) for net in generator.nets},
        scene=scene,
        grid=grid,
        store=store,
        with_weights="weights" in config.also,
        threads=config.threads,
    )
    return task, digest


def choose_memory(config: PosterConfig, model: Model, style: Source) -> MemorySet:
    """The memory set: drawn by the seed, but for what is kept of an earlier poster, or the model's own fixed one.

    Raises:
        ValueError: if the model's memory is fixed and something else is asked for, or if there is nothing to keep.
    """
    crops = model.crops()
    if crops.memory == "fixed":
        names = ("seed", "keep", "style", "style_scale", "style_shares", "mirror", "rotate")
        changed = [name for name in names if getattr(config, name) not in (0, (), None)]
        changed += ["templates"] if config.templates not in (None, crops.num_templates) else []
        require(not changed, "the model's own memory set, which is fixed", changed, "leave them out")
        return fixed_memory(style, crops)
    templates = draw_templates(
        style,
        config.templates or crops.num_templates,
        config.seed,
        mirror=crops.mirror if config.mirror is None else config.mirror,
        rotate=crops.rotate if config.rotate is None else config.rotate,
    )
    return MemorySet.of(style, keep_templates(config, templates, style) if config.keep_from else templates)


def keep_templates(config: PosterConfig, drawn: tuple[Template, ...], style: Source) -> tuple[Template, ...]:
    """The drawn templates, but for those that stay as they were in an earlier poster."""
    assert config.keep_from is not None
    manifest = read_json(join(absolute(config.keep_from), MANIFEST))
    finished = isinstance(manifest, dict) and manifest.get("kind") == "poster"
    require(finished, "the folder of a finished poster (--keep-from)", config.keep_from, f"name one with {MANIFEST}")
    pictures = [picture["sha256"] for picture in manifest["style"]["pictures"]]
    same = pictures == [p.sha256 for p in style.pictures] and manifest["style"]["scale"] == style.config.scale
    require(same, "the style pictures of the earlier poster", list(style.config.urls), "give the same --style")
    earlier = [Template(**template) for template in manifest["templates"]]
    most = min(len(drawn), len(earlier))
    require(max(config.keep) < most, f"templates to keep in 0..{most - 1}", list(config.keep), "see its sheet")
    kept = tuple(earlier[number] if number in config.keep else template for number, template in enumerate(drawn))
    require(list(kept) != earlier, "a seed that draws other templates", config.seed, "give another --seed")
    return kept


def tone_setting(config: PosterConfig, model: Model) -> str:
    """Whether content is brought into the style's tone: as asked for, or as in training."""
    return config.tone or str(model.recipe.get("tone", "match"))


def load_content(config: PosterConfig) -> tuple[np.ndarray, str]:
    """The content picture at the poster's size, and the digest of its file."""
    pixels, digest = read_single(config.content, "content")
    if config.width is not None:
        height = max(round(pixels.shape[0] * config.width / pixels.shape[1]), 1)
        resized = Image.fromarray(pixels).resize((config.width, height), Image.Resampling.LANCZOS)
        pixels = np.array(resized)
    return pixels, digest


def describe_plan(config: PosterConfig, task: PosterTask, model: Model, num_workers: int) -> str:
    """What will be done, for people."""
    canvas, grid, sweeps = task.scene.canvas, task.grid, task.sweeps
    pixels = canvas.height * canvas.width
    stored_mb = pixels * (12 + 3 + 3 * task.with_weights) / 1e6
    read = grid[0].read
    lines = [
        f"poster {canvas.poster_width} x {canvas.poster_height} px; folder {task.store.url}",
        f"  model    {model.uri} ({model.packed.digest[:12]}), K = {len(task.scene.memory.templates)}",
        f"  canvas   {canvas.width} x {canvas.height} px: a bleed of {canvas.bleed_before} px before the poster",
        f"  tiles    {grid.columns} x {grid.rows} = {len(grid)} of {grid.core_px} px, each read {read.width} x "
        f"{read.height} px (halo {grid.halo.before} and {grid.halo.behind})",
        "  sweeps   " + ", ".join(f"{number} for the {net}" for net, number in sweeps.items()) + " network, each "
        "followed by one rendering",
        f"  store    at most {stored_mb:.0f} MB before compression",
        f"  workers  {num_workers}",
    ]
    return "\n".join(lines)


def describe_job(
    config: PosterConfig, task: PosterTask, model: Model, style: Source, content_digest: str
) -> dict[str, Any]:
    """What decides the poster's bytes."""
    canvas = task.scene.canvas
    return {
        "kind": "poster",
        "model": {"uri": model.uri, "digest": model.packed.digest},
        "content": {"url": absolute(config.content), "digest": content_digest, "tone": tone_setting(config, model)},
        "style": style.identity(),
        "templates": [template._asdict() for template in task.scene.memory.templates],
        "seed": config.seed,
        "size": [canvas.poster_width, canvas.poster_height],
        "tile": config.tile,
        "threads": config.threads,
        "with_weights": task.with_weights,
    }


def deliver(
    config: PosterConfig,
    task: PosterTask,
    job: dict[str, Any],
    style: Source,
    statistics: dict[Net, list[Moments]],
) -> str:
    """Stitch the tiles into pictures and write the manifest."""
    store, canvas = task.store, task.scene.canvas
    names = {"output": "poster.png"} | {extra: f"{extra}.png" for extra in config.also}
    for array, file in names.items():
        export_png(store, array, canvas, join(store.url, file))
    if config.sheet:
        write_object(join(store.url, "sheet.png"), encode_png(make_sheet(task, style)))
    digest = hashlib.sha256()
    for moments in (m for net in statistics.values() for m in net):
        digest.update(moments.mean.tobytes() + moments.m2.tobytes())
    versions = {name: importlib.metadata.version(name) for name in ("torch", "ray", "zarr", "numpy")}
    manifest = {
        **job,
        "style": style.describe(),
        "bleed": canvas.bleed_before,
        "statistics_digest": digest.hexdigest(),
        "versions": versions,
        "files": sorted(names.values()),
    }
    write_json(join(store.url, MANIFEST), manifest)
    target = join(store.url, "poster.png")
    print(f"wrote {target}")
    return target


def make_sheet(task: PosterTask, style: Source) -> Image.Image:
    """Content, poster, collage and weights over the templates, by number and colour, and the style pictures."""
    canvas, store, memory = task.scene.canvas, task.store, task.scene.memory
    assert task.scene.content is not None
    top = [Panel("content, in the style's tone", task.scene.content), Panel("poster", store.picture("output", canvas))]
    top.append(Panel("collage", store.picture("collage", canvas)))
    if task.with_weights:
        top.append(Panel("which template is where", store.picture("weights", canvas)))
    corner, colours = Box(0, 0, SHEET_PANEL_PX, SHEET_PANEL_PX), palette(len(memory.templates))
    cut = [
        Panel(f"template {number}", memory.crop(number, corner), colours[number])
        for number in range(min(len(memory.templates), MOST_TEMPLATES_SHOWN))
    ]
    pieces = [Panel(f"style: {style.pictures[i].url.rsplit('/', 1)[-1]}", style.get(i)) for i in range(len(style))]
    rows = [top, *in_rows(cut, len(top)), *in_rows(pieces[: 3 * len(top)], len(top))]
    return sheet(rows, SHEET_PANEL_PX)


def in_rows(panels: list[Panel], width: int) -> list[list[Panel]]:
    """Panels in rows of a width."""
    return [panels[start : start + width] for start in range(0, len(panels), width)]
