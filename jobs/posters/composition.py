"""What a poster shows: model, content, memory set and canvas, as asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs.models.lookup import Model
from jobs.settings.poster_config import PosterConfig
from magic.checks import require
from magic.networks.generator import Generator
from magic.options import MEMORY, settings_of
from magic.scene.content import Content
from magic.scene.memory import MemorySet, Template, draw_templates
from magic.scene.scene import Scene, plan_canvas
from pipelines.pictures.crops import fixed_memory
from pipelines.pictures.reading import read_single
from pipelines.pictures.sources import Source
from pipelines.pictures.tone import CELL_PX, Tone, match_tone, tone_of
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.posters.poster_records import ContentRecord, ModelReference
from pipelines.storage.door import absolute

TONE_PX = 4096
"""A content that is shown larger than this is shrunk to it before its tone is measured."""


@dataclass(frozen=True)
class Composition:
    """What is painted, and what it is made of."""

    generator: Generator
    scene: Scene
    model: ModelReference
    content: ContentRecord | None
    picture_references: Mapping[int, Any]
    """Where Ray holds the memory's pictures, by number; of those that it holds."""

    @property
    def num_templates(self) -> int:
        """K."""
        return len(self.scene.memory.templates)


def compose(config: PosterConfig, model: Model, style: Source, tone: Tone | None = None) -> Composition:
    """The scene that a poster's settings mean.

    Args:
        config: the settings.
        model: that paints it.
        style: its style pictures.
        tone: that its content counts as having: that of all contents of its group. None for its own.

    Raises:
        ValueError: if the model and the settings do not go together, or the content cannot be read.
    """
    generator = model.generator()
    expected = "a content (--content)" if generator.config.guided else "no content, but --width and --height"
    got = "none" if config.content is None else config.content
    require((config.content is not None) == generator.config.guided, f"{expected} for {model.uri}", got, "change it")
    content, record = compose_content(config, model, style, tone) if config.content is not None else (None, None)
    height, width = (content.height, content.width) if content else (config.height or 1, config.width or 1)
    scene = Scene(content, choose_memory(config, model, style), plan_canvas(generator, height, width))
    is_whole = model.crops.memory != "fixed"  # a fixed memory has parts of the pictures
    held = {n: style.references[n] for n in scene.memory.pictures if is_whole and style.references[n] is not None}
    return Composition(generator, scene, ModelReference(uri=model.uri, digest=model.packed.digest), record, held)


def compose_content(
    config: PosterConfig, model: Model, style: Source, own: Tone | None
) -> tuple[Content, ContentRecord]:
    """The content at the poster's size, in its tone, and what is recorded of it."""
    assert config.content is not None
    content, digest = read_content(config)
    tone = config.tone or (model.recipe.tone if model.recipe else "match")
    tones = None
    if tone == "match":
        tones = own or content_tone(content), style.tone
        content = replace(content, source=match_tone(content.source, *tones))
    record = ContentRecord(url=absolute(config.content), digest=digest, tone=tone, tones=tones)
    return content, record


def read_content(config: PosterConfig) -> tuple[Content, str]:
    """The content at the poster's size, as it is, and the digest of its file."""
    assert config.content is not None
    pixels, digest = read_single(config.content, "content")
    height, width = pixels.shape[:2]
    if config.width is not None:
        height, width = max(round(height * config.width / width), 1), config.width
    return Content(pixels, height, width), digest


def content_tone(content: Content) -> Tone:
    """The tone of a content as large as it is shown."""
    small = content.small(TONE_PX)
    return tone_of(small, max(round(CELL_PX * small.shape[0] / content.height), 1))


def choose_memory(config: PosterConfig, model: Model, style: Source) -> MemorySet:
    """The memory set: drawn by the seed, but for templates that are kept of an earlier poster; or the model's own.

    Raises:
        ValueError: if there is nothing to keep; if the model's memory is fixed, but other templates are asked for, or
            its pictures are others now.
    """
    crops = model.crops
    if crops.memory == "fixed":
        _require_no_choice(config, crops.num_templates)
        return memory_of_training(model, style)
    templates = draw_templates(
        style,
        config.templates or crops.num_templates,
        config.seed,
        mirror=crops.mirror if config.mirror is None else config.mirror,
        rotate=crops.rotate if config.rotate is None else config.rotate,
    )
    return MemorySet.of(style, kept_templates(config, templates, style) if config.keep_from else templates)


def _require_no_choice(config: PosterConfig, num_templates: int) -> None:
    """Refuse settings that would choose another memory set than the model's own."""
    asked = replace(config, templates=None) if config.templates == num_templates else config  # the model's own number
    changed = [setting.name for setting in settings_of(asked) if setting.effect is MEMORY and setting.is_changed]
    require(not changed, "the model's own memory set, which is fixed", changed, "leave them out")


def memory_of_training(model: Model, style: Source) -> MemorySet:
    """The fixed memory set, drawn from the pictures that training used: those that are large enough for its patches.

    Raises:
        ValueError: if they are others now.
    """
    min_side_px = model.recipe.crops.patch_px if model.recipe else 1
    numbers = [n for n, picture in enumerate(style.pictures) if min(picture.height, picture.width) >= min_side_px]
    large = replace(
        style,
        pictures=tuple(style.pictures[n] for n in numbers),
        references=tuple(style.references[n] for n in numbers),
    )
    expected = model.style.digest if model.style else large.digest
    require(
        large.digest == expected,
        f"the style pictures that {model.uri} was trained on, with digest {expected}",
        large.digest,
        "its memory is made of them: put them back as they were",
    )
    memory = fixed_memory(large, model.crops)
    templates = tuple(replace(template, picture=numbers[template.picture]) for template in memory.templates)
    return MemorySet({numbers[n]: pixels for n, pixels in memory.pictures.items()}, templates)


def kept_templates(config: PosterConfig, drawn: tuple[Template, ...], style: Source) -> tuple[Template, ...]:
    """The drawn templates, but for those that stay as they were in an earlier poster.

    Raises:
        ValueError: if that poster was made of other pictures, has no such templates, or the seed draws the same ones.
    """
    assert config.keep_from is not None
    poster = FinishedPoster.at(config.keep_from)
    same = has_same_pictures(poster, style)
    require(same, "the style pictures of the earlier poster", list(style.config.urls), "give the same --style")
    keep, earlier = config.keep_templates, poster.manifest.identity.templates
    count = min(len(drawn), len(earlier))
    require(max(keep) < count, f"templates to keep in 0..{count - 1}", list(keep), "see its sheet")
    kept = tuple(earlier[number] if number in keep else template for number, template in enumerate(drawn))
    require(kept != earlier, "a seed that draws other templates", config.seed, "give another --seed")
    return kept


def has_same_pictures(poster: FinishedPoster, style: Source) -> bool:
    """Whether a poster was made of the same style pictures, at the same size."""
    earlier = poster.manifest.identity.style
    same_size = (earlier.scale, earlier.square_px) == (style.config.scale, style.config.square_px)
    return same_size and [p.sha256 for p in poster.manifest.pictures] == [p.sha256 for p in style.pictures]
