"""Pictures for people: the weights in colour, and labelled sheets of panels; and tables."""

import colorsys
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

GOLDEN = 0.618033988749895


def palette(num_templates: int) -> list[tuple[int, int, int]]:
    """One colour per template; neighbours in the list differ as much as they can."""
    colours = []
    for k in range(num_templates):
        rgb = colorsys.hsv_to_rgb(k * GOLDEN % 1.0, 0.55 + 0.4 * (k % 2), 0.95 - 0.3 * (k // 2 % 2))
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colours


def weights_in_colour(weights: Float[ndarray, "K H W"]) -> UInt8[ndarray, "3 H W"]:
    """A as a picture: each template's colour, mixed by its share."""
    colours = np.array(palette(len(weights)), np.float32)
    mixed: UInt8[ndarray, "3 H W"] = np.einsum("khw,kc->chw", weights, colours).round().astype(np.uint8)
    return mixed


class Panel(NamedTuple):
    """One picture of a sheet."""

    label: str
    picture: UInt8[ndarray, "_ _ 3"]
    colour: tuple[int, int, int] | None = None
    """Of a patch before the label: what the picture's colour is elsewhere on the sheet."""


def sheet(rows: Sequence[Sequence[Panel]], panel_px: int) -> Image.Image:
    """Rows of panels, each scaled into a square of panel_px under its label."""
    label_px, gap_px = max(panel_px // 14, 14), 8
    font = ImageFont.load_default(size=label_px * 0.7)
    step_x, step_y = panel_px + gap_px, panel_px + label_px + gap_px
    page = Image.new("RGB", (gap_px + step_x * max(map(len, rows)), gap_px + step_y * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            corner = gap_px + x * step_x, gap_px + y * step_y
            indent = 0
            if panel.colour is not None:
                indent = label_px
                patch = (corner[0], corner[1] + 2, corner[0] + label_px - 6, corner[1] + label_px - 4)
                draw.rectangle(patch, fill=panel.colour, outline="black")
            draw.text((corner[0] + indent, corner[1]), panel.label, fill="black", font=font)
            picture = Image.fromarray(panel.picture)
            scale = panel_px / max(picture.size)
            size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
            page.paste(
                picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST),
                (corner[0], corner[1] + label_px),
            )
    return page


def small_jpeg(picture: Image.Image, max_bytes: int) -> bytes:
    """The best JPEG that fits the limit, or the smallest that is still worth looking at."""
    for quality in range(92, 30, -4):
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            break
    return buffer.getvalue()
