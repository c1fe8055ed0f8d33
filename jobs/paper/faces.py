"""Procedural portraits, aligned like CelebA's: material for unguided collages without a download.

Lengths are shares of the picture's side, y points down:

    .47  eyes       Every part is a soft mask painted over what is there: background, hair behind, body, head,
    .58  nose       features, hair in front, glasses or a hat, film grain. The light falls from one side; the
    .69  mouth      other side of a part is darker.
    .80  chin
"""

import colorsys
import math
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter

Mask = Float[ndarray, "size size"]
Outline = Float[ndarray, "N 2"]
Colour = Float[ndarray, "3"] | Float[ndarray, "size size 3"]

SUPERSAMPLING = 2
SKINS = "ffe0cc f6cfb2 eebc98 dda57c c98d62 a96d46 85522f 6b4529"
HAIRS = "1d1714 2e211a 4a2f20 6e4527 94602f c08a45 dfb96f a5421f 7d2b22 9a9691 d8d3ca 33415e 7c4a78 2f6b68"
SHADOW = np.array([0.7, 0.95, 0.9], np.float32)  # shadows are warm: red stays longest
U = np.linspace(-1, 1, 41)  # across a part, from its left to its right


def draw_faces(folder: Path, count: int, *, size_px: int = 256, seed: int = 0) -> None:
    """Write face-0000.png and so on. A face depends on the seed and its number alone, so more may be added."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        face = draw_face(size_px, np.random.default_rng([seed, number]))
        Image.fromarray(face).save(folder / f"face-{number:04d}.png")


def draw_face(size_px: int, rng: np.random.Generator) -> UInt8[ndarray, "size size 3"]:
    """One portrait of size_px a side; everything about it is drawn from rng."""
    it = Sitter(Canvas(size_px, rng))
    for paint in (it.background, it.hair_behind, it.body, it.head, it.beard, it.nose, it.mouth, it.eyes):
        paint()
    for paint in (it.hair_in_front, it.glasses, it.hat):
        paint()
    return it.canvas.developed()


def band(x: ndarray, top: ndarray, bottom: ndarray | float) -> Outline:
    """The area between two curves over x."""
    return np.concatenate([np.stack([x, top], 1), np.stack([x, np.broadcast_to(bottom, x.shape)], 1)[::-1]])


def rgb(code: str) -> Colour:
    """A colour from its six hexadecimal digits, 0 to 1."""
    return np.array(list(bytes.fromhex(code)), np.float32) / 255


class Canvas:
    """A square picture that masks are painted on."""

    def __init__(self, size_px: int, rng: np.random.Generator):
        self.size_px, self.rng = size_px, rng
        self.y, self.x = (np.mgrid[:size_px, :size_px].astype(np.float32) + 0.5) / size_px
        self.picture = np.zeros((size_px, size_px, 3), np.float32)
        self.light = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1))  # -1: from the left

    def fill(self, *outlines: Outline, line: float = 0.0, soft: float = 0.0) -> Mask:
        """The mask of outlines, blurred by soft; with line the mask of open strokes that are so wide."""
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
        """The mask, blurred."""
        image, far = Image.fromarray((mask * 255).astype(np.uint8)), math.ceil(3 * radius * self.size_px) + 1
        x0, y0, x1, y1 = image.getbbox() or (0, 0, 1, 1)
        near = max(x0 - far, 0), max(y0 - far, 0), min(x1 + far, self.size_px), min(y1 + far, self.size_px)
        image.paste(image.crop(near).filter(ImageFilter.GaussianBlur(radius * self.size_px)), near)
        return np.asarray(image, np.float32) / 255

    def moved(self, mask: Mask, right: float, down: float) -> Mask:
        """The mask elsewhere; what touches the border goes on outside."""
        steps = np.arange(self.size_px)
        rows, columns = (np.clip(steps - round(d * self.size_px), 0, self.size_px - 1) for d in (down, right))
        return np.asarray(mask[rows][:, columns])

    def noise(self, across: int, down: int) -> Mask:
        """Smooth noise of about -1 to 1 with so many cells."""
        cells = Image.fromarray(self.rng.normal(0, 0.5, (down, across)).astype(np.float32))
        return np.asarray(cells.resize((self.size_px, self.size_px), Image.Resampling.BICUBIC))

    def box(self, mask: Mask) -> tuple[slice, slice]:
        """The part of the picture that a mask touches."""
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))

    def paint(self, mask: Mask, colour: Colour, opacity: float = 1.0) -> None:
        """Lay a colour, or a picture of colours, over the mask."""
        box = self.box(mask)
        tone = (colour[box] if colour.ndim == 3 else colour).astype(np.float32)
        self.picture[box] += (mask[box] * np.float32(opacity))[..., None] * (tone - self.picture[box])

    def darken(self, mask: Mask, amount: float) -> None:
        """Shadow (light, where amount is negative) on the mask."""
        box = self.box(mask)
        self.picture[box] *= 1 - (mask[box] * np.float32(amount))[..., None] * SHADOW

    def model(self, mask: Mask, colour: Colour, amount: float, reach: float) -> None:
        """Paint a part and round it off: dark along the edge away from the light, bright along the other."""
        self.paint(mask, colour)
        soft, right, down = self.blurred(mask, reach), self.light * reach, reach / 2
        self.darken(mask * (0.55 - self.moved(soft, -right, -down) + 0.45 * self.moved(soft, right, down)), amount)

    def weave(self, kind: int) -> Mask:
        """A pattern, 0 to 1: stripes, dots, checks, herringbone or knit."""
        f, turn = self.rng.uniform((56, -0.6), (106, 0.6)).tolist()
        u, v = self.x + turn * self.y, self.y - turn * self.x
        if kind < 3:
            wave = np.sin(f * u) * (2 * np.sin(f * v) if kind == 1 else 1) + (kind == 2) * np.sin(f * v) - (kind == 1)
        else:
            saw = np.abs(self.x * f / 4 % 2 - 1)
            wave = np.sin(1.5 * f * self.y + saw * 5) if kind == 3 else 0.5 * np.sin(2.5 * f * self.y + saw * 3)
        return np.asarray(np.clip(wave * 2 + 0.5, 0, 1), np.float32)

    def developed(self) -> UInt8[ndarray, "size size 3"]:
        """The finished picture: side light, paper and film grain."""
        self.picture *= (1 + 0.1 * self.light * (self.x - 0.5) + 0.02 * self.noise(90, 90))[..., None]
        grain = self.rng.standard_normal(self.x.shape, np.float32)[..., None] * np.float32(0.012)
        return np.array(np.clip((self.picture + grain) * 255, 0, 255).round().astype(np.uint8))


class Sitter:
    """One person, painted part by part."""

    def __init__(self, canvas: Canvas):
        self.canvas, self.rng = canvas, canvas.rng
        places = self.rng.uniform((0.49, 0.46, 0.575, 0.68, 0.785), (0.51, 0.48, 0.595, 0.7, 0.825)).tolist()
        self.cx, self.eye_y, self.nose_y, self.mouth_y, self.chin_y = places
        self.width, self.parting, self.curl = self.rng.uniform((0.188, -0.5, 0), (0.222, 0.5, 0.012)).tolist()
        self.style = self.pick("crop crop bob long long afro bun bald")
        self.eye_gap = self.width * self.rng.uniform(0.46, 0.51)
        self.skin, self.hair = rgb(self.pick(SKINS)) * np.float32(self.rng.uniform(0.95, 1.03)), rgb(self.pick(HAIRS))
        self.lip = self.skin * 0.55 + rgb(self.pick("a83c44 c0525a 8a3038 b5655a")) * 0.42

    def pick(self, words: str) -> str:
        """One of the words."""
        return str(self.rng.choice(words.split()))

    def colour(self, strong: tuple[float, float] = (0.2, 0.65), bright: tuple[float, float] = (0.3, 0.9)) -> Colour:
        """Any hue, within a range of saturation and of value."""
        hsv = self.rng.random(), self.rng.uniform(*strong), self.rng.uniform(*bright)
        return np.array(colorsys.hsv_to_rgb(*hsv), np.float32)

    def at(self, x: float, y: float, rx: float, ry: float, power: float = 2.0, lumps: float = 0.0) -> Outline:
        """A superellipse at x from the middle of the face: power 2 is an ellipse, 5 nearly a box."""
        t = np.linspace(0, 2 * np.pi, 96)[:, None]
        xy = np.concatenate([np.cos(t), np.sin(t)], 1)
        wave = 1 + lumps * (np.abs(np.sin(9 * t)) + 0.6 * np.sin(5 * t + 1))
        return np.asarray((self.cx + x, y) + np.array([rx, ry]) * np.sign(xy) * np.abs(xy) ** (2 / power) * wave)

    def pair(self, outline: Outline) -> tuple[Outline, Outline]:
        """An outline of the right half, and its mirror image."""
        return outline, np.array([2 * self.cx, 0]) + outline * [-1, 1]

    def background(self) -> None:
        """Plain, gradient, blobs, wallpaper or a disc."""
        c, kind = self.canvas, self.rng.integers(5)
        c.paint(np.ones_like(c.x), self.colour((0.1, 0.5), (0.45, 0.95)))
        blobs = [self.at(*self.rng.uniform((-0.5, 0, 0.1, 0.1), (0.5, 1, 0.3, 0.3)).tolist()) for _ in range(4)]
        if kind == 1:
            c.paint(np.clip(c.y + c.light * (c.x - 0.5), 0, 1), self.colour())
        elif kind == 2:
            c.paint(c.fill(*blobs, soft=0.05), self.colour(), 0.7)
        elif kind == 3:
            c.paint(c.weave(int(self.rng.integers(4))), self.colour(), 0.4)
        elif kind == 4:
            c.paint(c.fill(self.at(0, 0.45, 0.42, 0.42)), self.colour(), 0.4)
        c.picture *= (1 + 0.07 * c.noise(5, 5) + 0.04 * c.noise(70, 40))[..., None]

    @cached_property
    def strands(self) -> Float[ndarray, "size size 3"]:
        """Hair: streaks that run out from the parting, or curls."""
        c, last = self.canvas, self.canvas.size_px - 1
        dx, dy = c.x - self.cx - self.parting * self.width, c.y - 0.17
        r = np.hypot(dx, dy)
        angle = np.arctan2(dx, dy) / (2 * np.pi) + 0.5 + self.curl * np.sin(r * 28 + self.parting * 9)
        table = c.noise(150, 7) + 0.5 * c.noise(60, 4)
        flow = table[(np.clip(r * 1.4, 0, 1) * last).astype(int), (angle % 1 * last).astype(int)]
        flow = 1.3 * c.noise(45, 45) if self.style == "afro" else flow
        sheen = np.exp(-(((r - 0.13) / 0.04) ** 2)) * (0.5 + 0.5 * np.tanh(3 * c.light * dx / self.width))
        tone = (1 + 0.34 * flow)[..., None] * self.hair + (0.16 * sheen * (1 + flow))[..., None]
        return np.asarray(tone.clip(0, 1))

    def hair_behind(self) -> None:
        """What hangs or stands behind the face."""
        w, wave, more = self.width, self.rng.uniform(0, 0.05), self.rng.uniform(0, 0.07)
        shapes = {
            "bob": (0, 0.47, w * 1.38, 0.27 + more, 3, wave),
            "long": (0, 0.7, w * (1.3 + 4 * more), 0.55, 2.6, wave),
            "afro": (0, 0.37, w * 1.6, 0.27 + more, 2, 0.05),
            "bun": (self.parting * 0.2, 0.13, 0.1, 0.085, 2, 0.03),
        }
        if self.style in shapes:
            self.canvas.model(self.canvas.fill(self.at(*shapes[self.style])), self.strands * 0.8, 0.5, 0.05)

    def body(self) -> None:
        """Neck, and clothes with a pattern and a collar."""
        c, w, rng, x = self.canvas, self.width, self.rng, np.linspace(-0.55, 0.55, 61)
        neck = c.fill(band(self.cx + U * w * 0.52, 0.6 + 0 * U, 1.05))
        c.model(neck, self.skin, 0.5, 0.04)
        c.darken(neck * c.fill(self.at(-0.02 * c.light, 0.75, w * 0.9, 0.13), soft=0.015), 0.4)
        dip, slope, bend, collar = rng.uniform((0.03, 0.08, 0.5, 0.006), (0.13, 0.13, 1, 0.022)).tolist()
        top = 0.855 + slope * np.abs(x / 0.5) ** 1.4 + dip * np.clip(1 - np.abs(x) / (w * 0.75), 0, 1) ** bend
        clothes, cloth = c.fill(band(self.cx + x, top, 1.1)), self.colour((0.2, 0.8), (0.2, 0.9))
        c.darken(c.moved(c.blurred(clothes, 0.012), 0, -0.012) * neck, 0.35)
        pattern = c.weave(int(rng.integers(5)))[..., None] * np.float32(rng.choice([0.15, 0.8]))
        rough = (1 + 0.1 * c.noise(9, 5) + 0.06 * c.noise(100, 100))[..., None]
        c.model(clothes, (cloth + pattern * (self.colour((0.1, 0.8), (0.2, 0.95)) - cloth)) * rough, 0.4, 0.06)
        c.paint(c.fill(np.stack([self.cx + x, top], 1)[21:40], line=collar), cloth * 0.7)

    def head(self) -> None:
        """Ears, at times with rings, and the skin of the face, at times with freckles."""
        c, w, rng, s = self.canvas, self.width, self.rng, np.linspace(0, 1, 40)
        c.paint(c.fill(*self.pair(self.at(w, 0.505, 0.03, 0.05))), self.skin * 0.93)
        drop, flatness, fullness, flush = rng.uniform((0.01, 2.2, 0.5, 0.2), (0.028, 3.4, 0.66, 0.8)).tolist()
        if rng.random() < 0.35:
            c.paint(c.fill(*self.pair(self.at(w * 1.05, 0.55 + drop, 0.011, drop))), self.colour((0.4, 0.9), (0.7, 1)))
        jaw = np.stack([self.cx + w * (1 - s**flatness) ** fullness, 0.46 + (self.chin_y - 0.46) * s], 1)
        self.face = c.fill(self.at(0, 0.46, w, 0.26, 2.3), np.concatenate([jaw, self.pair(jaw)[1][::-1]]))
        c.model(self.face, self.skin * (1 + 0.05 * c.noise(7, 7) + 0.02 * c.noise(60, 60))[..., None], 0.5, 0.055)
        blush = self.face * c.fill(*self.pair(self.at(w * 0.58, 0.6, 0.045, 0.035)), soft=0.025)
        c.paint(blush, self.skin * [1, 0.75, 0.7], flush)
        c.darken(np.clip(c.noise(95, 95) * 3 - 2, 0, 1) * c.blurred(blush, 0.03), rng.choice([0, 0, 0, 0.6]))
        c.darken(c.fill(*self.pair(self.at(self.eye_gap, self.eye_y - 0.005, 0.05, 0.03)), soft=0.014), 0.22)

    def beard(self) -> None:
        """Stubble or a full beard, and a moustache."""
        c, full, rng, u = self.canvas, self.rng.random() < 0.6, self.rng, np.abs(U)
        if self.style not in ("crop", "bald", "afro") or rng.random() > 0.45:
            return
        edge = self.mouth_y + 0.035 - 0.19 * u ** rng.uniform(2, 5) - 0.05 * np.exp(-(((u - 0.33) / 0.14) ** 2))
        grown = c.fill(self.at(0, 0.64, self.width * 1.03, rng.uniform(0.19, 0.235), 2.4, 0.012)) if full else self.face
        mask = c.blurred(grown * c.fill(band(self.cx + U * self.width * 1.06, edge, 1.0)), 0.006)
        c.paint(mask * np.clip(0.9 + 0.5 * c.noise(80, 80), 0, 1), self.strands, 0.95 if full else 0.3)
        if rng.random() < 0.7:
            droop = self.mouth_y - 0.018 + 0.03 * u**2
            lobes = droop - 0.03 * (1 - u**2) ** 0.7 * (0.55 + 0.45 * np.abs(np.sin(3 * u)))
            c.paint(c.fill(band(self.cx + U * 0.085, lobes, droop), soft=0.003), self.strands * 0.92)

    def nose(self) -> None:
        """A shaded bridge, a lit tip and two nostrils."""
        c, y, wide, side = self.canvas, self.nose_y, self.rng.uniform(0.026, 0.04), -np.sign(self.canvas.light)
        bridge = np.array([[0.012, self.eye_y - 0.03], [wide, y + 0.005], [0.0, y + 0.016], [0.004, y - 0.05]])
        c.darken(c.fill(bridge * [side, 1] + [self.cx, 0], soft=0.006), 0.3)
        wings = self.pair(self.at(wide * 0.8, y + 0.004, 0.012, 0.014))
        c.darken(c.fill(self.at(0, y + 0.012, wide, 0.012), *wings, soft=0.007), 0.22)
        c.darken(c.fill(self.at(-side * 0.006, y - 0.012, 0.011, 0.02), soft=0.008), -0.2)
        c.darken(c.fill(*self.pair(self.at(wide * 0.5, y + 0.013, 0.008, 0.005)), soft=0.002), 0.6)

    def mouth(self) -> None:
        """Two lips, at times with teeth between them."""
        c, low, high = self.canvas, (0.058, -0.004, 0.015, 0.018, -0.02), (0.085, 0.03, 0.024, 0.031, 0.024)
        wide, bend, above, below, gap = self.rng.uniform(low, high).tolist()
        x, middle, arc = self.cx + U * wide, self.mouth_y + bend * (0.5 - U**2), 1 - U**2
        open_ = middle + arc * max(gap, 0) * (bend > 0.006)
        c.darken(c.fill(self.at(0, self.mouth_y + 0.042, wide * 0.5, 0.009), soft=0.006), 0.25)
        c.paint(c.fill(band(x, middle - arc * above * (1 - 0.3 * np.exp(-((U / 0.2) ** 2))), middle)), self.lip * 0.85)
        c.paint(c.fill(band(x, open_, open_ + arc**0.8 * below)), self.lip)
        c.darken(c.fill(self.at(0.01 * c.light, self.mouth_y + 0.018, wide * 0.4, 0.004), soft=0.004), -0.25)
        c.paint(c.fill(band(x, middle, open_)), rgb("f4ece0"))
        c.paint(c.fill(np.stack([x, middle], 1), line=0.005), self.lip * 0.35, 0.9)

    def eyes(self) -> None:
        """Almonds with irises, lids, lashes and brows."""
        c, y, gap = self.canvas, self.eye_y, self.eye_gap
        iris = rgb(self.pick("5b3a1e 7a5230 3f6f8f 5c7f4a 6b7680 8a6a2c 2c4a63"))
        wide, tall, slant, look = self.rng.uniform((0.043, 0.02, -0.006, -0.008), (0.052, 0.031, 0.004, 0.008)).tolist()
        lash, arch, tilt, thick = self.rng.uniform((0.005, 0.004, -0.003, 0.007), (0.011, 0.018, 0.009, 0.018)).tolist()
        x, arc = self.cx + gap + U * wide, 1 - U**2
        lid, under = y + slant * U - tall * arc**0.75, y + slant * U + 0.6 * tall * arc
        almond = c.fill(*self.pair(band(x, lid, under)))
        c.paint(almond, rgb("f3ede6"))
        for size, colour in ((0.025, iris * 0.55), (0.021, iris * 1.1), (0.0115, rgb("120e0d"))):
            c.paint(c.fill(*(self.at(side * gap + look, y - 0.003, size, size) for side in (-1, 1))) * almond, colour)
        c.darken(c.fill(*self.pair(band(x, lid, lid + 0.009)), soft=0.003) * almond, 0.4)
        glints = [self.at(s * gap + look + 0.007 * c.light, y - 0.009, 0.005, 0.005) for s in (-1, 1)]
        c.paint(c.fill(*glints), np.ones(3))
        c.paint(c.fill(*self.pair(band(x + 0.003, lid - lash * (0.6 + 0.4 * U), lid + 0.002))), rgb("1c1310"), 0.9)
        c.darken(c.fill(*self.pair(np.stack([x, lid - 0.014], 1)), line=0.004), 0.3)
        brow = y - 0.058 - arch * np.cos(1.4 * (U - 0.2)) + tilt * U
        hairs = self.pair(band(self.cx + gap + 0.004 + U * 0.055, brow, brow + thick * (1.1 - U) ** 0.6))
        c.paint(c.fill(*hairs, soft=0.002) * np.clip(0.9 + 0.5 * c.noise(120, 50), 0, 1), self.hair * 0.65)

    def hair_in_front(self) -> None:
        """A cap of hair with the face left open, and its shadow on the forehead."""
        hairlines = (  # parted, fringe, swept back, receding, to one side
            0.27 + 0.17 * np.abs(U - self.parting) ** 1.2,
            0.4 + 0.007 * np.sin(25 * U) + 0.03 * U**6,
            0.3 + 0.12 * U**4,
            0.255 + 0.05 * np.exp(-((U / 0.3) ** 2)) + 0.16 * np.abs(U) ** 5,
            0.32 + 0.08 * np.sign(self.parting) * U + 0.015 * np.sin(14 * U),
        )
        if self.style == "bald":
            return
        c, w, hairline, top = self.canvas, self.width, hairlines[self.rng.integers(5)], self.rng.uniform(0.14, 0.185)
        low, lumps = (0.6, 0.0) if self.style in ("bob", "long") else (0.5, self.rng.choice([0, 0.02, 0.035]))
        cap = c.fill(self.at(0, (top + low) / 2, w * 1.13, (low - top) / 2, 2.25, lumps))
        mask = cap * (1 - c.fill(band(self.cx + U * w * (0.88 if low > 0.5 else 0.94), hairline, 1.0)))
        c.darken(c.moved(c.blurred(mask, 0.012), -0.01 * c.light, 0.018) * self.face * (1 - mask), 0.4)
        c.model(mask, self.strands, 0.3, 0.03)

    def glasses(self) -> None:
        """Round or square frames, with a reflection."""
        c, cx, gap, y = self.canvas, self.cx, self.eye_gap, self.eye_y
        if self.rng.random() > 0.28:
            return
        rx, ry, power, line = self.rng.uniform((0.062, 0.045, 2, 0.006), (0.072, 0.06, 4.5, 0.012)).tolist()
        lens = self.pair(self.at(gap, y + 0.005, rx, ry, power))
        bridge = np.array([[cx - gap + rx, y - 0.005], [cx, y - 0.015], [cx + gap - rx, y - 0.005]])
        temples = self.pair(np.array([[cx + gap + rx, y - 0.01], [cx + self.width, y - 0.02]]))
        frame, glass = c.fill(*lens, bridge, *temples, line=line), c.fill(*lens)
        c.darken(c.moved(frame, -0.008 * c.light, 0.012) * self.face, 0.3)
        c.paint(glass * (0.1 + 0.2 * (np.abs((c.x + c.y) % 0.2 - 0.06) < 0.012)), rgb("eff6ff"))
        c.paint(frame, self.colour((0.1, 0.8), (0.08, 0.5)))

    def hat(self) -> None:
        """A beanie, a brimmed hat or a beret."""
        c, w, kind, cloth = self.canvas, self.width, int(self.rng.integers(3)), self.colour((0.3, 0.8), (0.2, 0.85))
        if self.style in ("afro", "bun") or self.rng.random() > 0.22:
            return
        arc, x = 0.03 * U**2, self.cx + U * w * 1.2
        crown = band(x, 0.33 - arc - 0.24 * (1 - U**4) ** 0.5, 0.34)
        rim = band(x, 0.29 - arc, 0.35 - arc * 0.5)
        if kind == 1:
            rim = self.at(0, 0.315, w * 1.9, 0.035, 2.2)
        elif kind == 2:
            crown, rim = self.at(self.parting * 0.2, 0.235, w * 1.5, 0.12, 2.4), rim - [0, 0.005]
        whole, edge = c.fill(crown, rim), c.fill(rim)
        c.darken(c.moved(c.blurred(whole, 0.012), 0, 0.025) * (1 - whole) * (c.y > 0.33), 0.4)
        c.model(whole, cloth * (0.9 + 0.2 * c.weave(3 + kind % 2) + 0.1 * c.noise(80, 80))[..., None], 0.45, 0.05)
        c.model(edge, cloth * (0.7 + 0.2 * (np.sin(c.x * 190) > 0) * (kind == 0))[..., None], 0.3, 0.015)
