"""The picture that a drawn face is painted on: soft masks, and colours and shadows laid on through them."""

import math

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter

Mask = Float[ndarray, "size size"]
"""How much of each pixel belongs to a part, 0 to 1."""
Outline = Float[ndarray, "N 2"]
"""Points (x, y) in shares of the picture's side."""
Colour = Float[ndarray, "3"] | Float[ndarray, "size size 3"]
"""One colour, or one for each pixel: red, green and blue from 0 to 1."""

SUPERSAMPLING = 2
SHADOW = np.array([0.7, 0.95, 0.9], np.float32)
"""How much of red, green and blue a full shadow takes: shadows on skin are warm, so red loses least."""


class FaceCanvas:
    """A square picture, black at first, that colours and shadows are laid on through masks.

    All lengths are shares of the picture's side; x points right, y points down.
    """

    def __init__(self, size_px: int, rng: np.random.Generator):
        self.size_px, self.rng = size_px, rng
        self.y, self.x = (np.mgrid[:size_px, :size_px].astype(np.float32) + 0.5) / size_px
        self.picture = np.zeros((size_px, size_px, 3), np.float32)
        self.light = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1))  # which side it falls from: below 0 the left

    def fill(self, *outlines: Outline, line: float = 0.0, soft: float = 0.0) -> Mask:
        """The mask of the area within the outlines, or of strokes along them.

        Args:
            outlines: in shares of the side.
            line: width of the strokes; 0 fills the outlines instead.
            soft: standard deviation of the blur of the mask's border.
        """
        large_px = self.size_px * SUPERSAMPLING
        image = Image.new("L", (large_px, large_px))
        draw = ImageDraw.Draw(image)
        for points in ((outline * large_px).ravel().tolist() for outline in outlines):
            if line:
                draw.line(points, fill=255, width=max(round(line * large_px), 1), joint="curve")
            else:
                draw.polygon(points, fill=255)
        mask = np.asarray(image.reduce(SUPERSAMPLING), np.float32) / 255
        return self.blurred(mask, soft) if soft else mask

    def blurred(self, mask: Mask, radius: float) -> Mask:
        """The mask under a Gaussian blur; radius is its standard deviation. Only the part that is not 0 is computed."""
        image, reach_px = Image.fromarray((mask * 255).astype(np.uint8)), math.ceil(3 * radius * self.size_px) + 1
        x0, y0, x1, y1 = image.getbbox() or (0, 0, 1, 1)
        left, top = max(x0 - reach_px, 0), max(y0 - reach_px, 0)
        touched = left, top, min(x1 + reach_px, self.size_px), min(y1 + reach_px, self.size_px)
        image.paste(image.crop(touched).filter(ImageFilter.GaussianBlur(radius * self.size_px)), touched)
        return np.asarray(image, np.float32) / 255

    def shifted(self, mask: Mask, right: float, down: float) -> Mask:
        """The mask, moved. Its outermost pixels are repeated beyond the border, so that no gap opens there."""
        steps = np.arange(self.size_px)
        rows, columns = (np.clip(steps - round(d * self.size_px), 0, self.size_px - 1) for d in (down, right))
        return np.asarray(mask[rows][:, columns])

    def noise(self, across: int, down: int) -> Mask:
        """Smooth noise of about -1 to 1, from random values on a grid of `across` by `down` cells."""
        cells = Image.fromarray(self.rng.normal(0, 0.5, (down, across)).astype(np.float32))
        return np.asarray(cells.resize((self.size_px, self.size_px), Image.Resampling.BICUBIC))

    def bounding_box(self, mask: Mask) -> tuple[slice, slice]:
        """Rows and columns of the part of the picture where a mask is not 0."""
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))

    def paint(self, mask: Mask, colour: Colour, opacity: float = 1.0) -> None:
        """Lay a colour, or a whole picture of colours, over the area of the mask."""
        box = self.bounding_box(mask)
        tone = (colour[box] if colour.ndim == 3 else colour).astype(np.float32)
        self.picture[box] += (mask[box] * np.float32(opacity))[..., None] * (tone - self.picture[box])

    def darken(self, mask: Mask, amount: float) -> None:
        """Lay a shadow on the area of the mask: 0 changes nothing, 1 takes SHADOW. A negative amount is light."""
        box = self.bounding_box(mask)
        self.picture[box] *= 1 - (mask[box] * np.float32(amount))[..., None] * SHADOW

    def paint_rounded(self, mask: Mask, colour: Colour, amount: float, reach: float) -> None:
        """Paint a part that looks round: its edge is bright towards the light and dark on the other side.

        Args:
            mask: of the part.
            colour: of the part.
            amount: strength of the shading, as in `darken`.
            reach: how far the shading reaches inwards from the edge.
        """
        self.paint(mask, colour)
        soft, right, down = self.blurred(mask, reach), self.light * reach, reach / 2
        self.darken(mask * (0.55 - self.shifted(soft, -right, -down) + 0.45 * self.shifted(soft, right, down)), amount)

    def pattern(self, kind: int) -> Mask:
        """A pattern of values from 0 to 1. Kinds 0 to 4: stripes, dots, checks, herringbone, knit."""
        f, turn = self.rng.uniform((56, -0.6), (106, 0.6)).tolist()  # spatial frequency, and the pattern's slant
        across, along = np.sin(f * (self.x + turn * self.y)), np.sin(f * (self.y - turn * self.x))
        zigzag = np.abs(self.x * f / 4 % 2 - 1)
        if kind == 0:
            wave = across
        elif kind == 1:
            wave = 2 * across * along - 1
        elif kind == 2:
            wave = across + along
        elif kind == 3:
            wave = np.sin(1.5 * f * self.y + zigzag * 5)
        else:
            wave = 0.5 * np.sin(2.5 * f * self.y + zigzag * 3)
        return np.asarray(np.clip(wave * 2 + 0.5, 0, 1), np.float32)

    def finished(self) -> UInt8[ndarray, "size size 3"]:
        """The picture with light from one side, the structure of paper, and film grain."""
        self.picture *= (1 + 0.1 * self.light * (self.x - 0.5) + 0.02 * self.noise(90, 90))[..., None]
        grain = self.rng.standard_normal(self.x.shape, np.float32)[..., None] * np.float32(0.012)
        return np.array(np.clip((self.picture + grain) * 255, 0, 255).round().astype(np.uint8))
