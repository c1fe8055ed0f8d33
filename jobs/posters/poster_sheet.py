"""A poster at a glance: content, poster, collage and labels, over its templates and its style pictures."""

from PIL import Image

from magic.checks import printable
from magic.geometry import Box
from magic.sheets import Panel, sheet
from pipelines.posters.finished_poster import CONTENT, FinishedPoster
from pipelines.storage.door import file_name

PANEL_PX = 480
MAX_TEMPLATES = 24
"""That are shown."""
NUM_STYLE_ROWS = 3
"""Of style pictures, at most."""
TITLES = {CONTENT: "content, as it was painted", "labels": "which template is where"}


def make_sheet(poster: FinishedPoster) -> Image.Image:
    """The sheet, in rows as wide as there are layers."""
    layers = _layer_panels(poster)
    width = len(layers)
    templates = _rows(_template_panels(poster), width)
    return sheet([layers, *templates, *_rows(_style_panels(poster, NUM_STYLE_ROWS * width), width)], PANEL_PX)


def _layer_panels(poster: FinishedPoster) -> list[Panel]:
    """The layers at the largest level of the pyramid that is not much larger than a panel, the content first."""
    store = poster.store
    fitting = (level for level in range(store.num_levels) if max(store.size(level)) <= 2 * PANEL_PX)
    level = next(fitting, store.num_levels - 1)
    titles = TITLES | {"output": "preview, approximate" if poster.is_preview else "poster"}
    names = sorted(poster.layers, key=lambda name: name != CONTENT)
    return [Panel(titles.get(name, name), poster.whole(name, level)) for name in names]


def _template_panels(poster: FinishedPoster) -> list[Panel]:
    """The templates at the poster's corner, by number and colour."""
    memory, corner = poster.scene().memory, Box(0, 0, PANEL_PX, PANEL_PX)
    return [
        Panel(f"template {number}", memory.crop(number, corner), poster.colours[number])
        for number in range(min(len(memory.templates), MAX_TEMPLATES))
    ]


def _style_panels(poster: FinishedPoster, count: int) -> list[Panel]:
    return [
        Panel(f"style: {printable(file_name(info.url))}", poster.style_picture(number))
        for number, info in enumerate(poster.manifest.pictures[:count])
    ]


def _rows(panels: list[Panel], width: int) -> list[list[Panel]]:
    return [panels[start : start + width] for start in range(0, len(panels), width)]
