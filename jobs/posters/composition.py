"""What a poster shows: model, content, memory set and canvas, as asked for."""

from dataclasses import replace
from typing import Any, NamedTuple

from jobs.models.lookup import Model
from jobs.settings.poster_config import PosterConfig
from magic.checks import require
from magic.networks.generator import Generator
from magic.networks.packed import unpack_generator
from magic.scene.content import Content
from magic.scene.memory import MemorySet, Template, draw_templates
from magic.scene.scene import Scene, plan_canvas
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.reading import read_single
from pipelines.pictures.sources import Source
from pipelines.pictures.tone import CELL_PX, match_tone, tone_of
from pipelines.store.finished_poster import FinishedPoster
from pipelines.store.storage import absolute

TONE_PX = 4096
"""The tone of a content is that of its first so many pixels a side, shrunk to that if it is shown larger."""


class Composition(NamedTuple):
    """What is painted, and what it was made of."""

    generator: Generator
    scene: Scene
    identity: dict[str, Any]
    """What makes the same scene again."""


def compose(config: PosterConfig, model: Model, style: Source) -> Composition:
    """The scene that a poster's settings mean.

    Raises:
        ValueError: if the model and the settings do not go together, or the content cannot be read.
    """
    generator = unpack_generator(model.packed)
    guided = "a content (--content)" if generator.config.guided else "no content, but --width and --height"
    came = "none" if config.content is None else config.content
    require((config.content is not None) == generator.config.guided, f"{guided} for {model.uri}", came, "change it")
    content, described = compose_content(config, model, style) if config.content is not None else (None, None)
    height, width = (content.height, content.width) if content else (config.height or 1, config.width or 1)
    memory = choose_memory(config, model, style)
    scene = Scene(content, memory, plan_canvas(generator, height, width))
    identity = {
        "model": {"uri": model.uri, "digest": model.packed.digest},
        "content": described,
        "style": style.identity(),
        "templates": [template._asdict() for template in memory.templates],
        "seed": config.seed,
        "size": [width, height],
    }
    return Composition(generator, scene, identity)


def compose_content(config: PosterConfig, model: Model, style: Source) -> tuple[Content, dict[str, Any]]:
    """The content at the poster's size, in its tone, and what it was made of."""
    assert config.content is not None
    pixels, digest = read_single(config.content, "content")
    height, width = pixels.shape[:2]
    if config.width is not None:
        height, width = max(round(height * config.width / width), 1), config.width
    tone = config.tone or str(model.recipe.get("tone", "match"))
    tones = None
    if tone == "match":
        small = Content(pixels, height, width).small(TONE_PX)
        tones = tone_of(small, max(round(CELL_PX * small.shape[0] / height), 1)), style.tone
        pixels = match_tone(pixels, *tones)
    described = {"url": absolute(config.content), "digest": digest, "tone": tone, "tones": tones}
    return Content(pixels, height, width), described


def choose_memory(config: PosterConfig, model: Model, style: Source) -> MemorySet:
    """The memory set: drawn by the seed, but for what is kept of an earlier poster, or the model's own fixed one.

    Raises:
        ValueError: if the model's memory is fixed and something else is asked for or its pictures are others now, or if
            there is nothing to keep.
    """
    crops = model.crops()
    if crops.memory == "fixed":
        names = ("seed", "keep_templates", "style", "style_scale", "style_shares", "mirror", "rotate")
        changed = [name for name in names if getattr(config, name) not in (0, (), None)]
        changed += ["templates"] if config.templates not in (None, crops.num_templates) else []
        require(not changed, "the model's own memory set, which is fixed", changed, "leave them out")
        return memory_of_training(model, style)
    templates = draw_templates(
        style,
        config.templates or crops.num_templates,
        config.seed,
        mirror=crops.mirror if config.mirror is None else config.mirror,
        rotate=crops.rotate if config.rotate is None else config.rotate,
    )
    return MemorySet.of(style, kept_templates(config, templates, style) if config.keep_from else templates)


def memory_of_training(model: Model, style: Source) -> MemorySet:
    """The fixed memory set, drawn from the pictures that training saw: those that are large enough for its patches.

    Raises:
        ValueError: if they are others now.
    """
    least = model.recipe.get("crops", {}).get("patch_px", 1)
    numbers = [n for n, picture in enumerate(style.pictures) if min(picture.height, picture.width) >= least]
    pictures, held = tuple(style.pictures[n] for n in numbers), tuple(style.held[n] for n in numbers)
    seen = replace(style, pictures=pictures, held=held)
    known = (model.recipe.get("style") or {}).get("digest", seen.digest)
    require(
        seen.digest == known,
        f"the style pictures that {model.uri} was trained on, with digest {known}",
        seen.digest,
        "its memory is made of them: put them back as they were",
    )
    memory = fixed_memory(seen, model.crops())
    templates = tuple(t._replace(picture=numbers[t.picture]) for t in memory.templates)
    return MemorySet({numbers[n]: pixels for n, pixels in memory.pictures.items()}, templates)


def kept_templates(config: PosterConfig, drawn: tuple[Template, ...], style: Source) -> tuple[Template, ...]:
    """The drawn templates, but for those that stay as they were in an earlier poster."""
    assert config.keep_from is not None
    poster = FinishedPoster.at(config.keep_from)
    same = same_pictures(poster, style)
    require(same, "the style pictures of the earlier poster", list(style.config.urls), "give the same --style")
    keep, earlier = config.keep_templates, poster.templates
    most = min(len(drawn), len(earlier))
    require(max(keep) < most, f"templates to keep in 0..{most - 1}", list(keep), "see its sheet")
    kept = tuple(earlier[number] if number in keep else template for number, template in enumerate(drawn))
    require(kept != earlier, "a seed that draws other templates", config.seed, "give another --seed")
    return kept


def same_pictures(poster: FinishedPoster, style: Source) -> bool:
    """Whether an earlier poster was made of the same style pictures, at the same size."""
    earlier = poster.manifest["style"]
    sized = (earlier["scale"], earlier["square_px"]) == (style.config.scale, style.config.square_px)
    return sized and [p["sha256"] for p in poster.pictures] == [p.sha256 for p in style.pictures]
