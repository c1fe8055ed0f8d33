"""Whether the borders of tiles show."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from magic.checks import require
from magic.pixels import luminance_levels


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
