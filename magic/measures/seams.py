"""Whether the borders of tiles are visible."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.checks import require
from magic.pixels import luminance_levels


def seam_ratio(picture: UInt8[ndarray, "H W 3"], tile_px: int, *, offset_px: int = 0) -> float:
    """The mean step of luminance across tile borders, divided by the mean step between all other neighbouring pixels.

    It is about 1 where there is no seam, exactly 1 if the whole picture is flat, and infinite if there are steps at the
    borders only. Borders are few, so a value depends on what happens to lie there: photographs of 1700x800 px have 0.7
    to 1.4 for tiles of 256 px, depending on the offset. Compare a value with those of other offsets. The 8 px blocks
    of JPEG alone give 1.1.

        column   0    offset   offset + tile_px
                 |      |         |
                 ......#|#.......#|#....     steps across | and all other steps, in both directions

    Args:
        picture: what was painted in tiles.
        tile_px: side of a tile's core, in pixels.
        offset_px: column of the first border and row of the first border, in pixels.

    Raises:
        ValueError: if tile_px < 2, or no tile border lies inside the picture.
    """
    require(tile_px >= 2, "tile_px >= 2", tile_px, "give the side of a tile's core in pixels")
    luma = luminance_levels(picture)
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
