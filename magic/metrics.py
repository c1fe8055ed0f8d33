"""Measures of a finished collage: how close to its styles, how true to its content, how it is cut.

Pictures are RGB in 8-bit levels, 0 to 255. Nothing here is a loss: see magic.losses for what is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Float64, Integer, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]
from scipy.sparse import coo_matrix  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]
from scipy.special import entr  # type: ignore[import-untyped]
from torch import Tensor

from magic.config import require
from magic.losses import LUMA

LEVELS = 5
"""Most levels of the Laplacian pyramid; the coarsest of 5 sees 7 * 16 = 112 pixels at once."""
PATCH_PX = 7
"""Side of the patches compared at every level (Karras et al. 2018)."""
NUM_PATCHES = 2**14
"""Patches per level from the picture, and as many from the styles (Karras et al. 2018)."""
NUM_DIRECTIONS = 512
"""Random directions per level (Karras et al. 2018)."""
CHUNK = 64
"""Directions projected at once: 64 * 2^14 floats are 4 MB."""
SMALLEST_STD = 1.0
"""Least deviation to divide by, in 8-bit levels, so that a flat style does not blow up rounding."""
CELLS_PX = (8, 16, 32)
"""Sides of the squares at which `score` compares content; training compares at 8 (LossConfig.content_cell_px)."""
SSIM_SIGMA = 1.5
"""Standard deviation of SSIM's window (Wang et al. 2004), in cells; the window ends after 5 cells (11 x 11)."""
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""SSIM's constants for a range of 255 (Wang et al. 2004)."""


def style_distance(
    picture: UInt8[ndarray, "H W 3"], styles: Sequence[UInt8[ndarray, "_ _ 3"]], *, seed: int = 0
) -> float:
    """How far a picture's texture is from that of its styles: the mean of `style_distances` over the levels.

    Never 0: sampling alone leaves about 20 between equal distributions, more if the pictures are small. For scale:
    one of four satellite views of a city has 70 to 115 against the other three. There is no upper limit.
    Another seed moves a value by about 2 %. With one seed and one size of styles the style patches and directions
    are the same for every picture, so compare pictures under one seed.
    """
    return float(np.mean(style_distances(picture, styles, seed=seed)))


def style_distances(
    picture: UInt8[ndarray, "H W 3"], styles: Sequence[UInt8[ndarray, "_ _ 3"]], *, seed: int = 0
) -> list[float]:
    """Sliced Wasserstein distance (x 1000) of 7x7 patches at each level of a Laplacian pyramid, finest first.

    Karras et al. 2018, "Progressive growing of GANs", section 5, with two differences that one picture needs:
    channels are normalised by the styles' mean and deviation (a shift of colour or contrast counts), and several
    styles give patches in proportion to their areas. Needs about 60 bytes of memory per pixel.

    Args:
        picture: the collage; it need not have the styles' size.
        styles: the pictures it was made from, each whole.
        seed: of the patches and directions. The same arguments give the same result.

    Returns:
        One distance >= 0 per level: 5, or as many as leave each side of picture and styles at least 7 pixels
        (shortest side 97 for five, 49 for four, ...). Means over different numbers of levels do not compare.

    Raises:
        ValueError: if there is no style, or a picture is smaller than one patch.
    """
    require(len(styles) > 0, "at least one style picture", len(styles), "give the pictures the collage was made from")
    shortest = min(min(each.shape[:2]) for each in (picture, *styles))
    require(shortest >= PATCH_PX, f"sides of at least {PATCH_PX} px", shortest, "give larger pictures")
    num_levels = sum(-(-shortest // 2**level) >= PATCH_PX for level in range(LEVELS))
    picture_levels = laplacian_pyramid(picture, num_levels)
    style_levels = zip(*(laplacian_pyramid(style, num_levels) for style in styles), strict=True)
    distances = []
    for level, (painted, wanted) in enumerate(zip(picture_levels, style_levels, strict=True)):
        of_picture, of_styles, of_directions = (np.random.default_rng([seed, level, role]) for role in range(3))
        target = _draw_patches(wanted, of_styles)
        mean = target.mean((0, 2, 3), keepdims=True)
        std = target.std((0, 2, 3), keepdims=True).clip(SMALLEST_STD)
        patches = (_draw_patches([painted], of_picture) - mean) / std
        distances.append(1000 * _sliced_wasserstein(patches, (target - mean) / std, of_directions))
    return distances


def laplacian_pyramid(picture: UInt8[ndarray, "H W 3"], num_levels: int) -> list[Float32[ndarray, "3 _ _"]]:
    """Band-pass levels, finest first, each half the size of the one before; the last is the low-pass rest.

    Filtered by the 5x5 binomial kernel with mirrored borders (Burt and Adelson 1983, as in Karras et al. 2018).
    """
    image = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    levels = []
    for _ in range(num_levels - 1):
        small = _blur(image)[..., ::2, ::2]
        spread = torch.zeros_like(image)
        spread[..., ::2, ::2] = 4 * small
        levels.append((image - _blur(spread))[0].numpy())
        image = small
    return [*levels, image[0].numpy()]


def _blur(image: Float32[Tensor, "1 3 H W"]) -> Float32[Tensor, "1 3 H W"]:
    """The 5x5 binomial low-pass."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)


def _draw_patches(levels: Sequence[Float32[ndarray, "3 _ _"]], rng: np.random.Generator) -> Float32[ndarray, "N 3 h w"]:
    """NUM_PATCHES patches anywhere in the pictures, in proportion to the pictures' areas."""
    areas = np.array([level[0].size for level in levels], np.float64)
    drawn = []
    for level, count in zip(levels, rng.multinomial(NUM_PATCHES, areas / areas.sum()), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH_PX, PATCH_PX), axis=(1, 2))
        y, x = rng.integers(0, windows.shape[1], count), rng.integers(0, windows.shape[2], count)
        drawn.append(windows[:, y, x].swapaxes(0, 1))
    return np.concatenate(drawn)


def _sliced_wasserstein(
    one: Float32[ndarray, "N C h w"], other: Float32[ndarray, "N C h w"], rng: np.random.Generator
) -> float:
    """Mean L1 distance of the sorted projections of two sets of points on random directions."""
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    directions = rng.standard_normal((NUM_DIRECTIONS, one.shape[1])).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    total = 0.0
    for start in range(0, NUM_DIRECTIONS, CHUNK):
        sorted_one, sorted_other = (np.sort(directions[start : start + CHUNK] @ x.T, axis=1) for x in (one, other))
        total += float(np.abs(sorted_one - sorted_other).mean(1).sum())
    return total / NUM_DIRECTIONS


class Fidelity(NamedTuple):
    """How much a picture resembles its content, seen from so far that a cell is a point."""

    correlation: float
    """Pearson's correlation of the cells' luminance, -1 to 1; blind to brightness and contrast of the whole."""
    ssim: float
    """Structural similarity of the cells' luminance (Wang et al. 2004), -1 to 1; sees brightness and contrast."""


def content_fidelity(picture: UInt8[ndarray, "H W 3"], content: UInt8[ndarray, "_ _ 3"], cell_px: int) -> Fidelity:
    """Correlation and SSIM of luminance averaged over squares of cell_px pixels.

    Incomplete squares at the right and bottom are left out. SSIM's window is mirrored at the borders, so that
    pictures of less than 11 cells have a value too. If either picture's cells are all equal there is no
    correlation to speak of, and it is 0.0 by definition.

    Raises:
        ValueError: if the sizes differ, or the pictures are smaller than one cell.
    """
    require(
        picture.shape == content.shape,
        f"a content picture of {picture.shape[0]}x{picture.shape[1]} px like the picture",
        content.shape[:2],
        "resize the content to the picture",
    )
    require(
        1 <= cell_px <= min(picture.shape[:2]),
        f"cell_px in 1..{min(picture.shape[:2])}",
        cell_px,
        "choose cells that fit into the picture",
    )
    ours, theirs = (_cell_means(_luminance(x), cell_px) for x in (picture, content))
    return Fidelity(_correlation(ours, theirs), _ssim(ours, theirs))


def _luminance(picture: UInt8[ndarray, "H W 3"]) -> Float64[ndarray, "H W"]:
    """Luma in 8-bit levels, 0 to 255."""
    luma: Float64[ndarray, "H W"] = picture @ np.array(LUMA)
    return luma


def _cell_means(plane: Float64[ndarray, "H W"], cell_px: int) -> Float64[ndarray, "h w"]:
    """Means over complete squares."""
    rows, columns = (side // cell_px for side in plane.shape)
    cells = plane[: rows * cell_px, : columns * cell_px].reshape(rows, cell_px, columns, cell_px)
    means: Float64[ndarray, "h w"] = cells.mean((1, 3))
    return means


def _correlation(one: Float64[ndarray, "H W"], other: Float64[ndarray, "H W"]) -> float:
    """Pearson's correlation; 0.0 where a plane is constant up to the rounding of its mean."""
    if min(one.std(), other.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _ssim(one: Float64[ndarray, "H W"], other: Float64[ndarray, "H W"]) -> float:
    """Mean structural similarity, equation 13 of Wang et al. 2004."""

    def smooth(plane: Float64[ndarray, "H W"]) -> Float64[ndarray, "H W"]:
        blurred: Float64[ndarray, "H W"] = gaussian_filter(plane, SSIM_SIGMA, truncate=3.5)
        return blurred

    mean_one, mean_other = smooth(one), smooth(other)
    var_one, var_other = smooth(one * one) - mean_one**2, smooth(other * other) - mean_other**2
    covariance = smooth(one * other) - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + SSIM_C1) / (mean_one**2 + mean_other**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (var_one + var_other + SSIM_C2)
    return float((luminance * structure).mean())


@dataclass(frozen=True, slots=True)
class Segments:  # no NamedTuple: a tuple's `count` is a method
    """The pieces a collage is cut into: connected regions (4 neighbours) of one label."""

    count: int
    """Number of regions, 1 to H W."""
    mean_area_px: float
    """Mean area of a region, in pixels."""
    border_px: int
    """Length of all cuts: neighbouring pairs of pixels whose labels differ. The picture's edge does not count."""


def segments(labels: Integer[ndarray, "H W"]) -> Segments:
    """Regions of equal label, for example of the argmax of A over K."""
    pixels = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
    same_right, same_down = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    starts = np.concatenate([pixels[:, :-1][same_right], pixels[:-1][same_down]])
    ends = np.concatenate([pixels[:, 1:][same_right], pixels[1:][same_down]])
    graph = coo_matrix((np.ones(len(starts), np.int8), (starts, ends)), shape=(labels.size, labels.size))
    count = int(connected_components(graph, directed=False, return_labels=False))
    return Segments(count, labels.size / count, same_right.size + same_down.size - len(starts))


def cuts(labels: Integer[ndarray, "H W"]) -> dict[str, float]:
    """Measures of a label map (labels from 0 on), under names that MLflow accepts: its pieces and its largest label."""
    pieces = segments(labels)
    return {
        "largest_share": float(np.bincount(labels.ravel()).max() / labels.size),
        "segments": float(pieces.count),
        "segment_area_px": pieces.mean_area_px,
        "segment_border_px": float(pieces.border_px),
    }


def mean_entropy(weights: Float[ndarray, "K H W"]) -> float:
    """Mean entropy of A over the pixels, in nats: 0 (hard cuts) to ln K (all templates everywhere)."""
    return sum(float(entr(plane.astype(np.float32)).mean(dtype=np.float64)) for plane in weights)


def largest_share(weights: Float[ndarray, "K H W"]) -> float:
    """The largest template's share of the picture, 1/K to 1."""
    return float(weights.mean((1, 2), dtype=np.float64).max())


def seam_ratio(picture: UInt8[ndarray, "H W 3"], tile_px: int, *, offset_px: int = 0) -> float:
    """Whether tiles show: mean luminance step across the tiles' borders over the mean step elsewhere.

    About 1 where there is no seam, exactly 1 if the whole picture is flat; infinite if only the borders have steps.
    Borders are few, so what happens to lie there matters: photographs of 1700x800 px have 0.7 to 1.4 at 256 px,
    depending on the offset. Judge a value beside those of other offsets. JPEG's blocks of 8 px alone give 1.1.

        column   0    offset   offset + tile_px
                 |      |         |
                 ......#|#.......#|#....     steps across | against all the others, in both directions

    Raises:
        ValueError: if tile_px < 2, or no tile border lies inside the picture.
    """
    require(tile_px >= 2, "tile_px >= 2", tile_px, "give the side of a tile's core in pixels")
    luma = _luminance(picture)
    across, elsewhere = [], []
    for plane in (luma, luma.T):
        steps = np.abs(np.diff(plane, axis=0))  # step n leads from row n to row n + 1
        at_border = (np.arange(1, len(plane)) - offset_px) % tile_px == 0
        across.append(steps[at_border].ravel())
        elsewhere.append(steps[~at_border].ravel())
    seams, rest = np.concatenate(across), np.concatenate(elsewhere)
    require(
        seams.size > 0,
        f"a tile border inside the picture of {luma.shape[0]}x{luma.shape[1]} px",
        (tile_px, offset_px),
        "check tile_px and offset_px, or do not ask for seams in a picture of one tile",
    )
    seam, usual = float(seams.mean()), float(rest.mean()) if rest.size else 0.0
    if usual == 0.0:
        return 1.0 if seam == 0.0 else float("inf")
    return seam / usual


def colour_shift(picture: UInt8[ndarray, "H W 3"], other: UInt8[ndarray, "_ _ 3"]) -> float:
    """Distance of the mean colours of two pictures: the largest channel's, in 8-bit levels, 0 to 255."""
    return float(np.abs(picture.mean((0, 1)) - other.mean((0, 1))).max())


def score(
    picture: UInt8[ndarray, "H W 3"],
    styles: Sequence[UInt8[ndarray, "_ _ 3"]],
    content: UInt8[ndarray, "_ _ 3"] | None = None,
    weights: Float[ndarray, "K h w"] | None = None,
) -> dict[str, float]:
    """All measures of one collage, under names that MLflow accepts.

    Args:
        picture: the collage.
        styles: the pictures it was made from.
        content: what it should resemble, in the picture's size; left out, nothing is said of content.
        weights: A; left out, nothing is said of cuts. At another resolution than the picture's, its pixels count.

    Raises:
        ValueError: as `style_distances` and `content_fidelity` do; content needs at least 32 px (CELLS_PX).
    """
    measured = {"style_distance": style_distance(picture, styles)}
    pooled = np.concatenate([style.reshape(1, -1, 3) for style in styles], axis=1)
    measured["colour_shift"] = colour_shift(picture, pooled)
    if content is not None:
        for cell_px in CELLS_PX:
            fidelity = content_fidelity(picture, content, cell_px)
            measured[f"content_correlation_{cell_px}px"] = fidelity.correlation
            measured[f"content_ssim_{cell_px}px"] = fidelity.ssim
    if weights is not None:
        measured |= {"entropy": mean_entropy(weights), **cuts(weights.argmax(0))}
        measured["largest_share"] = largest_share(weights)  # of the weights themselves
    return measured
