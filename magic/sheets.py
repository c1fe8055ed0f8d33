"""Pictures for people: the weights A in colour, and sheets of labelled panels."""

import colorsys
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

HUE_STEP = 0.618033988749895
"""From one template's hue to the next, as a share of the colour circle: the golden ratio, whose multiples stay well
apart from one another however many there are."""


def palette(num_templates: int) -> list[tuple[int, int, int]]:
    """One RGB colour per template, in 8-bit levels; colours next to each other in the list differ strongly."""
    colours = []
    for k in range(num_templates):
        rgb = colorsys.hsv_to_rgb(k * HUE_STEP % 1.0, 0.55 + 0.4 * (k % 2), 0.95 - 0.3 * (k // 2 % 2))
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colours


def weights_in_colour(weights: Float[ndarray, "K H W"]) -> UInt8[ndarray, "3 H W"]:
    """A as an RGB picture: the templates' colours, mixed by their shares of each pixel."""
    colours = np.array(palette(len(weights)), np.float32)
    mixed: UInt8[ndarray, "3 H W"] = np.einsum("khw,kc->chw", weights, colours).round().astype(np.uint8)
    return mixed


class Panel(NamedTuple):
    """One picture of a sheet."""

    label: str
    """One line of text above the picture."""
    picture: UInt8[ndarray, "_ _ 3"]
    colour: tuple[int, int, int] | None = None
    """RGB colour of a patch before the label; None for no patch. It is the key to maps on the same sheet in which
    this colour stands for the picture."""


def sheet(rows: Sequence[Sequence[Panel]], panel_px: int) -> Image.Image:
    """Rows of panels. Each picture is scaled to fit a square of panel_px pixels, below its label."""
    label_px, gap_px = max(panel_px // 14, 14), 8
    font = ImageFont.load_default(size=label_px * 0.7)
    step_x, step_y = panel_px + gap_px, panel_px + label_px + gap_px
    page = Image.new("RGB", (gap_px + step_x * max(map(len, rows)), gap_px + step_y * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            left, top = gap_px + x * step_x, gap_px + y * step_y
            indent = 0
            if panel.colour is not None:
                indent = label_px
                patch = (left, top + 2, left + label_px - 6, top + label_px - 4)
                draw.rectangle(patch, fill=panel.colour, outline="black")
            draw.text((left + indent, top), panel.label, fill="black", font=font)
            page.paste(_scaled(panel.picture, panel_px), (left, top + label_px))
    return page


def _scaled(pixels: UInt8[ndarray, "_ _ 3"], side_px: int) -> Image.Image:
    """A picture whose longer side is side_px. Enlarged pixels stay squares, so that they can be told apart."""
    picture = Image.fromarray(pixels)
    scale = side_px / max(picture.size)
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def small_jpeg(picture: Image.Image, max_bytes: int) -> bytes:
    """A JPEG file of at most max_bytes, of the best quality for which that holds.

    Quality never goes below 32; a picture that is too large even then exceeds the limit.
    """
    for quality in range(92, 30, -4):
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            break
    return buffer.getvalue()
