"""Procedural portraits, aligned as CelebA's are: material for unguided collages that needs no download.

Lengths are shares of the picture's side, and y points down. The parts of a face lie near these heights:

    .47  eyes       Each part is a soft mask that is painted over what is already there, from the back to the front:
    .58  nose       background, hair behind, body, head, features, hair in front, glasses, hat. Film grain comes
    .69  mouth      last. The light falls from one side, and the other side of each part is darker.
    .80  chin
"""

import colorsys
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from jobs.paper.face_canvas import Colour, FaceCanvas, Outline

SKINS = "ffe0cc f6cfb2 eebc98 dda57c c98d62 a96d46 85522f 6b4529"
HAIRS = "1d1714 2e211a 4a2f20 6e4527 94602f c08a45 dfb96f a5421f 7d2b22 9a9691 d8d3ca 33415e 7c4a78 2f6b68"
U = np.linspace(-1, 1, 41)
"""Across a part, from its left border to its right one."""


def draw_faces(folder: Path, count: int, *, size_px: int = 256, seed: int = 0) -> None:
    """Write face-0000.png, face-0001.png and so on into a folder.

    A face depends on nothing but its size, the seed and its number: a larger count adds faces and changes none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        face = draw_face(size_px, np.random.default_rng([seed, number]))
        Image.fromarray(face).save(folder / f"face-{number:04d}.png")


def draw_face(size_px: int, rng: np.random.Generator) -> UInt8[ndarray, "size size 3"]:
    """One portrait with sides of size_px; everything about it is drawn from rng."""
    sitter = Sitter(FaceCanvas(size_px, rng))
    sitter.background()
    sitter.hair_behind()
    sitter.body()
    sitter.head()
    sitter.beard()
    sitter.nose()
    sitter.mouth()
    sitter.eyes()
    sitter.hair_in_front()
    sitter.glasses()
    sitter.hat()
    return sitter.canvas.finished()


def band(x: ndarray, top: ndarray, bottom: ndarray | float) -> Outline:
    """The outline of the area between two curves over x."""
    return np.concatenate([np.stack([x, top], 1), np.stack([x, np.broadcast_to(bottom, x.shape)], 1)[::-1]])


def rgb(code: str) -> Colour:
    """A colour from its six hexadecimal digits."""
    return np.array(list(bytes.fromhex(code)), np.float32) / 255


class Sitter:
    """One person, painted part by part.

    What distinguishes people is drawn from the canvas's random numbers: here where the parts of the face are, and the
    colours and hair style that several parts share; in the methods whatever concerns one part alone. The methods have
    to be called in the order of `draw_face`, from the back to the front.
    """

    def __init__(self, canvas: FaceCanvas):
        self.canvas, self.rng = canvas, canvas.rng
        places = self.rng.uniform((0.49, 0.46, 0.575, 0.68, 0.785), (0.51, 0.48, 0.595, 0.7, 0.825)).tolist()
        self.cx, self.eye_y, self.nose_y, self.mouth_y, self.chin_y = places
        self.width, self.parting, self.curl = self.rng.uniform((0.188, -0.5, 0), (0.222, 0.5, 0.012)).tolist()
        self.style = self.pick("crop crop bob long long afro bun bald")
        self.eye_gap = self.width * self.rng.uniform(0.46, 0.51)
        self.skin, self.hair = rgb(self.pick(SKINS)) * np.float32(self.rng.uniform(0.95, 1.03)), rgb(self.pick(HAIRS))
        self.lip = self.skin * 0.55 + rgb(self.pick("a83c44 c0525a 8a3038 b5655a")) * 0.42

    def pick(self, words: str) -> str:
        """One of the words, at random."""
        return str(self.rng.choice(words.split()))

    def colour(self, strong: tuple[float, float] = (0.2, 0.65), bright: tuple[float, float] = (0.3, 0.9)) -> Colour:
        """A colour of any hue, with saturation and value (HSV) within the ranges."""
        hsv = self.rng.random(), self.rng.uniform(*strong), self.rng.uniform(*bright)
        return np.array(colorsys.hsv_to_rgb(*hsv), np.float32)

    def oval(self, x: float, y: float, rx: float, ry: float, power: float = 2.0, lumps: float = 0.0) -> Outline:
        """The outline of a superellipse, |dx / rx|^power + |dy / ry|^power = 1.

        Args:
            x: its centre, from the middle of the face to the right.
            y: its centre, from the top of the picture.
            rx: half its width.
            ry: half its height.
            power: 2 is an ellipse, 5 nearly a rectangle.
            lumps: height of the waves along the outline, as a share of the radius.
        """
        t = np.linspace(0, 2 * np.pi, 96)[:, None]
        xy = np.concatenate([np.cos(t), np.sin(t)], 1)
        wave = 1 + lumps * (np.abs(np.sin(9 * t)) + 0.6 * np.sin(5 * t + 1))
        return np.asarray((self.cx + x, y) + np.array([rx, ry]) * np.sign(xy) * np.abs(xy) ** (2 / power) * wave)

    def pair(self, outline: Outline) -> tuple[Outline, Outline]:
        """An outline and its mirror image about the middle of the face."""
        return outline, np.array([2 * self.cx, 0]) + outline * [-1, 1]

    def background(self) -> None:
        """Paint the wall: plain, a gradient, blobs, wallpaper or a disc."""
        c, kind = self.canvas, self.rng.integers(5)
        c.paint(np.ones_like(c.x), self.colour((0.1, 0.5), (0.45, 0.95)))
        blobs = [self.oval(*self.rng.uniform((-0.5, 0, 0.1, 0.1), (0.5, 1, 0.3, 0.3)).tolist()) for _ in range(4)]
        if kind == 1:
            c.paint(np.clip(c.y + c.light * (c.x - 0.5), 0, 1), self.colour())
        elif kind == 2:
            c.paint(c.fill(*blobs, soft=0.05), self.colour(), 0.7)
        elif kind == 3:
            c.paint(c.pattern(int(self.rng.integers(4))), self.colour(), 0.4)
        elif kind == 4:
            c.paint(c.fill(self.oval(0, 0.45, 0.42, 0.42)), self.colour(), 0.4)
        c.picture *= (1 + 0.07 * c.noise(5, 5) + 0.04 * c.noise(70, 40))[..., None]

    @cached_property
    def strands(self) -> Float[ndarray, "size size 3"]:
        """The colours of hair all over the picture: streaks that run out from the parting, or curls."""
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
        """Paint the hair that hangs down or stands up behind the face."""
        w, lumps, volume = self.width, self.rng.uniform(0, 0.05), self.rng.uniform(0, 0.07)
        ovals = {
            "bob": (0, 0.47, w * 1.38, 0.27 + volume, 3, lumps),
            "long": (0, 0.7, w * (1.3 + 4 * volume), 0.55, 2.6, lumps),
            "afro": (0, 0.37, w * 1.6, 0.27 + volume, 2, 0.05),
            "bun": (self.parting * 0.2, 0.13, 0.1, 0.085, 2, 0.03),
        }
        if self.style in ovals:
            self.canvas.paint_rounded(self.canvas.fill(self.oval(*ovals[self.style])), self.strands * 0.8, 0.5, 0.05)

    def body(self) -> None:
        """Paint the neck, and clothes with a pattern and a collar."""
        c, w, rng, x = self.canvas, self.width, self.rng, np.linspace(-0.55, 0.55, 61)
        neck = c.fill(band(self.cx + U * w * 0.52, 0.6 + 0 * U, 1.05))
        c.paint_rounded(neck, self.skin, 0.5, 0.04)
        c.darken(neck * c.fill(self.oval(-0.02 * c.light, 0.75, w * 0.9, 0.13), soft=0.015), 0.4)
        dip, slope, bend, collar = rng.uniform((0.03, 0.08, 0.5, 0.006), (0.13, 0.13, 1, 0.022)).tolist()
        top = 0.855 + slope * np.abs(x / 0.5) ** 1.4 + dip * np.clip(1 - np.abs(x) / (w * 0.75), 0, 1) ** bend
        clothes, cloth = c.fill(band(self.cx + x, top, 1.1)), self.colour((0.2, 0.8), (0.2, 0.9))
        c.darken(c.shifted(c.blurred(clothes, 0.012), 0, -0.012) * neck, 0.35)
        pattern = c.pattern(int(rng.integers(5)))[..., None] * np.float32(rng.choice([0.15, 0.8]))
        rough = (1 + 0.1 * c.noise(9, 5) + 0.06 * c.noise(100, 100))[..., None]
        c.paint_rounded(clothes, (cloth + pattern * (self.colour((0.1, 0.8), (0.2, 0.95)) - cloth)) * rough, 0.4, 0.06)
        c.paint(c.fill(np.stack([self.cx + x, top], 1)[21:40], line=collar), cloth * 0.7)

    def head(self) -> None:
        """Paint the ears, some with rings, and the skin of the face, some with freckles."""
        c, w, rng, s = self.canvas, self.width, self.rng, np.linspace(0, 1, 40)
        c.paint(c.fill(*self.pair(self.oval(w, 0.505, 0.03, 0.05))), self.skin * 0.93)
        drop, flatness, fullness, flush = rng.uniform((0.01, 2.2, 0.5, 0.2), (0.028, 3.4, 0.66, 0.8)).tolist()
        if rng.random() < 0.35:
            rings = c.fill(*self.pair(self.oval(w * 1.05, 0.55 + drop, 0.011, drop)))
            c.paint(rings, self.colour((0.4, 0.9), (0.7, 1)))
        jaw = np.stack([self.cx + w * (1 - s**flatness) ** fullness, 0.46 + (self.chin_y - 0.46) * s], 1)
        self.face = c.fill(self.oval(0, 0.46, w, 0.26, 2.3), np.concatenate([jaw, self.pair(jaw)[1][::-1]]))
        uneven = (1 + 0.05 * c.noise(7, 7) + 0.02 * c.noise(60, 60))[..., None]
        c.paint_rounded(self.face, self.skin * uneven, 0.5, 0.055)
        blush = self.face * c.fill(*self.pair(self.oval(w * 0.58, 0.6, 0.045, 0.035)), soft=0.025)
        c.paint(blush, self.skin * [1, 0.75, 0.7], flush)
        c.darken(np.clip(c.noise(95, 95) * 3 - 2, 0, 1) * c.blurred(blush, 0.03), rng.choice([0, 0, 0, 0.6]))
        c.darken(c.fill(*self.pair(self.oval(self.eye_gap, self.eye_y - 0.005, 0.05, 0.03)), soft=0.014), 0.22)

    def beard(self) -> None:
        """Paint stubble or a full beard, and a moustache, on some of the sitters with short or no hair."""
        c, full, rng, u, w = self.canvas, self.rng.random() < 0.6, self.rng, np.abs(U), self.width
        if self.style not in ("crop", "bald", "afro") or rng.random() > 0.45:
            return
        edge = self.mouth_y + 0.035 - 0.19 * u ** rng.uniform(2, 5) - 0.05 * np.exp(-(((u - 0.33) / 0.14) ** 2))
        grown = c.fill(self.oval(0, 0.64, w * 1.03, rng.uniform(0.19, 0.235), 2.4, 0.012)) if full else self.face
        mask = c.blurred(grown * c.fill(band(self.cx + U * w * 1.06, edge, 1.0)), 0.006)
        c.paint(mask * np.clip(0.9 + 0.5 * c.noise(80, 80), 0, 1), self.strands, 0.95 if full else 0.3)
        if rng.random() < 0.7:
            droop = self.mouth_y - 0.018 + 0.03 * u**2
            lobes = droop - 0.03 * (1 - u**2) ** 0.7 * (0.55 + 0.45 * np.abs(np.sin(3 * u)))
            c.paint(c.fill(band(self.cx + U * 0.085, lobes, droop), soft=0.003), self.strands * 0.92)

    def nose(self) -> None:
        """Paint the nose: a shaded bridge, a lit tip and two nostrils."""
        c, y, wide, side = self.canvas, self.nose_y, self.rng.uniform(0.026, 0.04), -np.sign(self.canvas.light)
        bridge = np.array([[0.012, self.eye_y - 0.03], [wide, y + 0.005], [0.0, y + 0.016], [0.004, y - 0.05]])
        c.darken(c.fill(bridge * [side, 1] + [self.cx, 0], soft=0.006), 0.3)
        wings = self.pair(self.oval(wide * 0.8, y + 0.004, 0.012, 0.014))
        c.darken(c.fill(self.oval(0, y + 0.012, wide, 0.012), *wings, soft=0.007), 0.22)
        c.darken(c.fill(self.oval(-side * 0.006, y - 0.012, 0.011, 0.02), soft=0.008), -0.2)
        c.darken(c.fill(*self.pair(self.oval(wide * 0.5, y + 0.013, 0.008, 0.005)), soft=0.002), 0.6)

    def mouth(self) -> None:
        """Paint two lips; in a smile, teeth may show between them."""
        c, low, high = self.canvas, (0.058, -0.004, 0.015, 0.018, -0.02), (0.085, 0.03, 0.024, 0.031, 0.024)
        wide, bend, above, below, gap = self.rng.uniform(low, high).tolist()
        x, middle, arc = self.cx + U * wide, self.mouth_y + bend * (0.5 - U**2), 1 - U**2
        opening = middle + arc * max(gap, 0) * (bend > 0.006)
        c.darken(c.fill(self.oval(0, self.mouth_y + 0.042, wide * 0.5, 0.009), soft=0.006), 0.25)
        c.paint(c.fill(band(x, middle - arc * above * (1 - 0.3 * np.exp(-((U / 0.2) ** 2))), middle)), self.lip * 0.85)
        c.paint(c.fill(band(x, opening, opening + arc**0.8 * below)), self.lip)
        c.darken(c.fill(self.oval(0.01 * c.light, self.mouth_y + 0.018, wide * 0.4, 0.004), soft=0.004), -0.25)
        c.paint(c.fill(band(x, middle, opening)), rgb("f4ece0"))
        c.paint(c.fill(np.stack([x, middle], 1), line=0.005), self.lip * 0.35, 0.9)

    def eyes(self) -> None:
        """Paint almond-shaped eyes with irises, lids, lashes and brows."""
        c, y, gap = self.canvas, self.eye_y, self.eye_gap
        iris = rgb(self.pick("5b3a1e 7a5230 3f6f8f 5c7f4a 6b7680 8a6a2c 2c4a63"))
        wide, tall, slant, look = self.rng.uniform((0.043, 0.02, -0.006, -0.008), (0.052, 0.031, 0.004, 0.008)).tolist()
        lash, arch, tilt, thick = self.rng.uniform((0.005, 0.004, -0.003, 0.007), (0.011, 0.018, 0.009, 0.018)).tolist()
        x, arc = self.cx + gap + U * wide, 1 - U**2
        lid, under = y + slant * U - tall * arc**0.75, y + slant * U + 0.6 * tall * arc
        almond = c.fill(*self.pair(band(x, lid, under)))
        c.paint(almond, rgb("f3ede6"))
        for size, colour in ((0.025, iris * 0.55), (0.021, iris * 1.1), (0.0115, rgb("120e0d"))):
            c.paint(c.fill(*(self.oval(side * gap + look, y - 0.003, size, size) for side in (-1, 1))) * almond, colour)
        c.darken(c.fill(*self.pair(band(x, lid, lid + 0.009)), soft=0.003) * almond, 0.4)
        glints = [self.oval(s * gap + look + 0.007 * c.light, y - 0.009, 0.005, 0.005) for s in (-1, 1)]
        c.paint(c.fill(*glints), np.ones(3))
        c.paint(c.fill(*self.pair(band(x + 0.003, lid - lash * (0.6 + 0.4 * U), lid + 0.002))), rgb("1c1310"), 0.9)
        c.darken(c.fill(*self.pair(np.stack([x, lid - 0.014], 1)), line=0.004), 0.3)
        brow = y - 0.058 - arch * np.cos(1.4 * (U - 0.2)) + tilt * U
        hairs = self.pair(band(self.cx + gap + 0.004 + U * 0.055, brow, brow + thick * (1.1 - U) ** 0.6))
        c.paint(c.fill(*hairs, soft=0.002) * np.clip(0.9 + 0.5 * c.noise(120, 50), 0, 1), self.hair * 0.65)

    def hair_in_front(self) -> None:
        """Paint a cap of hair with an opening for the face, and its shadow on the forehead."""
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
        cap = c.fill(self.oval(0, (top + low) / 2, w * 1.13, (low - top) / 2, 2.25, lumps))
        mask = cap * (1 - c.fill(band(self.cx + U * w * (0.88 if low > 0.5 else 0.94), hairline, 1.0)))
        c.darken(c.shifted(c.blurred(mask, 0.012), -0.01 * c.light, 0.018) * self.face * (1 - mask), 0.4)
        c.paint_rounded(mask, self.strands, 0.3, 0.03)

    def glasses(self) -> None:
        """Paint glasses with round or square frames and a reflection, on some sitters."""
        c, cx, gap, y = self.canvas, self.cx, self.eye_gap, self.eye_y
        if self.rng.random() > 0.28:
            return
        rx, ry, power, line = self.rng.uniform((0.062, 0.045, 2, 0.006), (0.072, 0.06, 4.5, 0.012)).tolist()
        lens = self.pair(self.oval(gap, y + 0.005, rx, ry, power))
        bridge = np.array([[cx - gap + rx, y - 0.005], [cx, y - 0.015], [cx + gap - rx, y - 0.005]])
        temples = self.pair(np.array([[cx + gap + rx, y - 0.01], [cx + self.width, y - 0.02]]))
        frame, glass = c.fill(*lens, bridge, *temples, line=line), c.fill(*lens)
        c.darken(c.shifted(frame, -0.008 * c.light, 0.012) * self.face, 0.3)
        c.paint(glass * (0.1 + 0.2 * (np.abs((c.x + c.y) % 0.2 - 0.06) < 0.012)), rgb("eff6ff"))
        c.paint(frame, self.colour((0.1, 0.8), (0.08, 0.5)))

    def hat(self) -> None:
        """Paint a beanie, a brimmed hat or a beret, on some sitters."""
        c, w, kind, cloth = self.canvas, self.width, int(self.rng.integers(3)), self.colour((0.3, 0.8), (0.2, 0.85))
        if self.style in ("afro", "bun") or self.rng.random() > 0.22:
            return
        arc, x = 0.03 * U**2, self.cx + U * w * 1.2
        crown = band(x, 0.33 - arc - 0.24 * (1 - U**4) ** 0.5, 0.34)
        rim = band(x, 0.29 - arc, 0.35 - arc * 0.5)
        if kind == 1:  # brimmed hat
            rim = self.oval(0, 0.315, w * 1.9, 0.035, 2.2)
        elif kind == 2:  # beret
            crown, rim = self.oval(self.parting * 0.2, 0.235, w * 1.5, 0.12, 2.4), rim - [0, 0.005]
        whole, edge = c.fill(crown, rim), c.fill(rim)
        c.darken(c.shifted(c.blurred(whole, 0.012), 0, 0.025) * (1 - whole) * (c.y > 0.33), 0.4)
        wool = (0.9 + 0.2 * c.pattern(3 + kind % 2) + 0.1 * c.noise(80, 80))[..., None]
        c.paint_rounded(whole, cloth * wool, 0.45, 0.05)
        c.paint_rounded(edge, cloth * (0.7 + 0.2 * (np.sin(c.x * 190) > 0) * (kind == 0))[..., None], 0.3, 0.015)
