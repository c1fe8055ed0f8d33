"""The viewer's own files: its page and scripts, and what it knows of a poster."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from magic.checks import printable
from magic.redaction import redact
from pipelines.posters.finished_poster import FinishedPoster
from pipelines.storage.door import file_name

FILES = Path(__file__).parent / "viewer"
PAGE = "index.html"
TILE_PX = 512
DZI = """<?xml version="1.0" encoding="UTF-8"?>
<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="{}" Overlap="0" TileSize="{}">
  <Size Width="{}" Height="{}"/>
</Image>
"""


def page_files(poster: FinishedPoster) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files, the page last."""
    height, width = poster.store.size()
    for layer in poster.layers:
        yield f"{layer}.dzi", DZI.format(tile_ending(poster, layer), TILE_PX, width, height).encode()
    description = json.dumps(redact(_description(poster)), separators=(",", ":"))
    yield "poster.js", f"const POSTER = {description};\n".encode()
    for path in sorted(FILES.iterdir(), key=lambda path: (path.name == PAGE, path.name)):
        yield path.name, path.read_bytes()


def tile_ending(poster: FinishedPoster, layer: str) -> str:
    """Of the files that a layer's tiles are in. Labels keep their exact colours."""
    return "png" if poster.holds_labels(layer) else "jpg"


def thumbnail_name(number: int) -> str:
    """The file of a style picture's thumbnail."""
    return f"thumbs/{number}.jpg"


def _description(poster: FinishedPoster) -> dict[str, Any]:
    """What the viewer knows of a poster. Of where pictures are from, it tells their files' names alone."""
    manifest, identity = poster.manifest, poster.manifest.identity
    height, width = poster.store.size()
    pairs = zip(identity.templates, poster.colours, strict=True)
    return {
        "width": width,
        "height": height,
        "tilePx": TILE_PX,
        "layers": poster.layers,
        "templates": [asdict(template) | {"colour": colour} for template, colour in pairs],
        "pictures": {
            number: {
                "name": printable(file_name(manifest.pictures[number].url)),
                "width": manifest.pictures[number].width,
                "height": manifest.pictures[number].height,
                "thumb": thumbnail_name(number),
            }
            for number in poster.used_pictures
        },
        "preview": poster.is_preview,
        "copies": identity.traits.copies_templates,
        "warped": poster.is_warped,
        "resized": identity.style.scale != 1 or identity.style.square_px is not None,
        "model": {"uri": _public_name(identity.model.uri), "digest": identity.model.digest},
    }


def _public_name(uri: str) -> str:
    """What the world may know of where a model is from."""
    return uri if uri.startswith("models:/") else printable(file_name(uri))
