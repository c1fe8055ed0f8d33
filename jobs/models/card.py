"""What a model's card says: where it comes from, how it does, and how to use it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cluster.redaction import redacted
from cluster.tracking.registry import CURRENT
from magic.hyperparameters import LossConfig
from magic.tables import as_table

SHOWN_URLS = 8
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
class Subject:
    """What a card is about."""

    name: str
    recipe: Mapping[str, Any]
    steps: str
    metrics: Mapping[str, float]
    digest: str
    code_version: str
    run: str
    """What to call the run that made it."""
    has_sheet: bool


def card(subject: Subject) -> str:
    """The card in Markdown, without credentials."""
    generator = subject.recipe.get("generator", {})
    title = f"# {subject.name}\n\nA {_kind(generator)} generator of MAGIC, after {subject.steps} training steps.\n"
    facts = {
        "model": f"SHA-256 `{subject.digest}`",
        "code": f"`{subject.code_version}`",
        "run": f"`{subject.run}`",
        **dict(_recipe(subject.recipe)),
        **dict(_sources(subject.recipe)),
    }
    table = ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts.items())]
    parts = [title, *(["![sample sheet](sheet.png)\n"] if subject.has_sheet else []), "\n".join(table) + "\n"]
    if subject.metrics:
        parts.append(
            f"## Measures\n\n{as_table({f'at step {subject.steps}': dict(sorted(subject.metrics.items()))})}\n"
        )
    return redacted("\n".join([*parts, _use(subject)]))


def _kind(generator: Mapping[str, Any]) -> str:
    return f"{'guided' if generator.get('guided', True) else 'unguided'} {generator.get('system', 'magic')}"


def _recipe(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that tell most."""
    generator, crops = recipe.get("generator", {}), recipe.get("crops", {})
    shown = [f"{name} {generator[name]}" for name in ("channels", "depth", "warp", "refine") if name in generator]
    yield "generator", ", ".join(shown)
    least, most = crops.get("min_templates"), crops.get("num_templates", "?")
    yield "trained on", f"patches of {crops.get('patch_px', '?')} px, K = {f'{least}..' if least else ''}{most}"
    usual = asdict(LossConfig())
    changed = [f"{name} {value}" for name, value in recipe.get("losses", {}).items() if value != usual.get(name)]
    yield "losses that differ from the defaults", ", ".join(changed) or "none"


def _sources(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("content", "style"):
        source = recipe.get(name)
        if source:
            urls = list(source.get("urls", ()))
            more = f" and {len(urls) - SHOWN_URLS} more" if len(urls) > SHOWN_URLS else ""
            listed = ", ".join(f"`{url}`" for url in urls[:SHOWN_URLS])
            count, digest = source.get("num_pictures", "?"), source.get("digest", "?")
            yield name, f"pictures: {count}, digest `{digest}`, from {listed}{more}"


def _use(subject: Subject) -> str:
    guided = subject.recipe.get("generator", {}).get("guided", True)
    return USE.format(
        name=subject.name,
        alias=CURRENT,
        poster="--content photo.jpg" if guided else "--width 2000 --height 1000",
        inputs='{"content": photo, "templates": styles}' if guided else '{"templates": styles}',
        k=subject.recipe.get("crops", {}).get("num_templates", 10),
    )
