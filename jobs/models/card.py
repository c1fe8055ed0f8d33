"""What a model's card says: where it comes from, how it does, and how to use it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from cluster.tracking.registry import CURRENT
from jobs.models.recipe import Recipe
from magic.hyperparameters import GeneratorConfig, LossConfig
from magic.redaction import redacted
from magic.tables import code_span, markdown_table, measures_table

MAX_URLS = 8
"""That are listed of each source."""
SHOWN_OPTIONS = ("channels", "depth", "warp", "refine")
"""Of the generator."""
USE = """## Use

    magic models show models:/{name}@{alias}
    magic poster --model models:/{name}@{alias} {poster} --out out/poster
    magic models export models:/{name}@{alias} some/folder

Or, with mlflow, torch, numpy, scipy, pillow, safetensors and jaxtyping alone:

    import mlflow, numpy
    model = mlflow.pyfunc.load_model("models:/{name}@{alias}")
    made = model.predict({inputs}, params={{"num_templates": {k}, "seed": 1}})
    made["output"], made["collage"], made["labels"]  # uint8 [H W 3] twice, uint16 [H W]

`photo` is a uint8 array [H W 3]; `styles` [n h w 3], pictures of one size, of which {k} templates are drawn by the
seed. Without `num_templates` each of the pictures is a template as it lies. It is one pass over the whole picture, so
it has to fit into memory; `magic poster` paints any size.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardSubject:
    """What a card is about."""

    name: str
    recipe: Recipe
    steps: str
    metrics: Mapping[str, float]
    digest: str
    code_version: str
    run: str
    """What to call the run that made it."""
    has_sheet: bool


def card(subject: CardSubject) -> str:
    """The card in Markdown, without credentials."""
    generator = subject.recipe.generator
    title = f"# {subject.name}\n\nA {_kind(generator)} generator of MAGIC, after {subject.steps} training steps.\n"
    facts = {
        "model": f"SHA-256 `{subject.digest}`",
        "code": code_span(subject.code_version),
        "run": code_span(subject.run),
        **dict(_settings(subject.recipe)),
        **dict(_sources(subject.recipe)),
    }
    table = markdown_table(["", ""], [[name, value] for name, value in facts.items()])
    parts = [title, *(["![sample sheet](sheet.png)\n"] if subject.has_sheet else []), table + "\n"]
    if subject.metrics:
        parts.append(
            f"## Measures\n\n{measures_table({f'at step {subject.steps}': dict(sorted(subject.metrics.items()))})}\n"
        )
    return redacted("\n".join([*parts, _use(subject)]))


def _kind(generator: GeneratorConfig) -> str:
    return f"{'guided' if generator.guided else 'unguided'} {generator.system}"


def _settings(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """The settings that tell most."""
    yield "generator", ", ".join(f"{name} {getattr(recipe.generator, name)}" for name in SHOWN_OPTIONS)
    smallest, crops = recipe.crops.min_templates, recipe.crops
    k = f"{f'{smallest}..' if smallest else ''}{crops.num_templates}"
    yield "trained on", f"patches of {crops.patch_px} px, K = {k}"
    changed = [
        f"{each.name} {getattr(recipe.losses, each.name)}"
        for each in fields(LossConfig)
        if getattr(recipe.losses, each.name) != each.default
    ]
    yield "losses that differ from the defaults", ", ".join(changed) or "none"


def _sources(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for name, source in recipe.sources.items():
        more = f" and {len(source.urls) - MAX_URLS} more" if len(source.urls) > MAX_URLS else ""
        listed = ", ".join(code_span(url) for url in source.urls[:MAX_URLS])
        yield name, f"pictures: {source.num_pictures}, digest `{source.digest}`, from {listed}{more}"


def _use(subject: CardSubject) -> str:
    guided = subject.recipe.generator.guided
    return USE.format(
        name=subject.name,
        alias=CURRENT,
        poster="--content photo.jpg" if guided else "--width 2000 --height 1000",
        inputs='{"content": photo, "templates": styles}' if guided else '{"templates": styles}',
        k=subject.recipe.crops.num_templates,
    )
