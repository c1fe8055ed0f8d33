import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

import magic.measures.style_distance as distance_module
from magic.measures.fidelity import colour_shift, content_fidelity
from magic.measures.pieces import Segments, cuts, largest_share, mean_entropy, segments
from magic.measures.score import CELLS_PX, score
from magic.measures.seams import seam_ratio
from magic.measures.style_distance import laplacian_pyramid, style_distance, style_distances
from tests.conftest import textured


@pytest.fixture
def quick(monkeypatch):
    """Fewer patches and directions: noisier and ten times faster."""
    monkeypatch.setattr(distance_module, "NUM_PATCHES", 2**12)
    monkeypatch.setattr(distance_module, "NUM_DIRECTIONS", 192)


def picture(height: int = 128, width: int = 128, seed: int = 0) -> np.ndarray:
    return textured(np.random.default_rng(seed), height, width)


def flat(level: int, height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def blurred(sharp: np.ndarray, radius_px: float) -> np.ndarray:
    return np.array(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(radius_px)))


def grain(height: int, width: int, seed: int) -> np.ndarray:
    """Soft grain: another seed gives another sample of one texture."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return blurred(noise, 1.5)


def test_the_same_texture_is_near_a_blurred_one_further_and_noise_far():
    style, same = grain(512, 512, seed=0), grain(512, 512, seed=1)
    noise = np.random.default_rng(2).integers(0, 256, same.shape, np.uint8)
    near, soft, far = (style_distance(x, [style]) for x in (same, blurred(same, 1.5), noise))
    assert 4 * near < soft
    assert 10 * soft < far


def test_a_picture_against_itself_leaves_only_the_sampling(quick):
    style = picture()
    assert style_distance(style, [style]) < 0.1 * style_distance(blurred(style, 2), [style])


def test_blur_is_seen_at_the_fine_levels_and_colour_at_the_coarsest(quick):
    style = picture() // 2
    itself, soft, lighter = (style_distances(x, [style]) for x in (style, blurred(style, 2), style + np.uint8(40)))
    assert len(itself) == 5
    assert soft[0] > 5 * soft[-1]
    assert lighter[:-1] == pytest.approx(itself[:-1], rel=0.01)  # a Laplacian has no mean
    assert lighter[-1] > 20 * itself[-1]


def test_style_distance_is_a_function_of_its_seed(quick):
    style, other = picture(100, 60), picture(60, 100, seed=1)
    assert style_distances(other, [style], seed=3) == style_distances(other, [style], seed=3)
    assert style_distances(other, [style], seed=3) != style_distances(other, [style], seed=4)


def test_several_styles_count_by_their_areas(quick):
    dark, light = flat(0, 64, 192), flat(200, 64, 64)
    dark_picture, light_picture = (style_distances(x, [dark, light])[-1] for x in (dark, light))
    # in one channel the styles are 0 with weight 3/4 and 200 with 1/4: transport costs 50 and 150
    assert light_picture / dark_picture == pytest.approx(3, rel=0.15)


@pytest.mark.parametrize(
    ("side", "num_levels"), [(7, 1), (12, 1), (13, 2), (48, 3), (49, 4), (96, 4), (97, 5), (300, 5)]
)
def test_small_pictures_have_fewer_levels(quick, monkeypatch, side, num_levels):
    monkeypatch.setattr(distance_module, "NUM_PATCHES", 64)
    assert len(style_distances(flat(9, 310, 310), [flat(9, 320, 320), flat(9, side, 310)])) == num_levels


def test_what_style_distance_refuses():
    with pytest.raises(ValueError, match="expected at least one style picture, got 0"):
        style_distance(picture(), [])
    with pytest.raises(ValueError, match="expected sides of at least 7 px, got 6"):
        style_distance(picture(), [picture(), picture(6, 40)])


def test_the_pyramid_of_a_flat_picture_is_empty_but_for_the_rest():
    *bands, rest = laplacian_pyramid(flat(77, 45, 30), 3)
    assert [band.shape for band in (*bands, rest)] == [(3, 45, 30), (3, 23, 15), (3, 12, 8)]
    for band in bands:
        assert np.abs(band[:, 2:-2, 2:-2]).max() < 1e-4
    assert rest == pytest.approx(77, abs=1e-4)


def test_a_picture_is_like_itself_and_unlike_its_negative():
    content = picture()
    for cell_px in CELLS_PX:
        assert content_fidelity(content, content, cell_px) == pytest.approx((1.0, 1.0))
        negative = content_fidelity(255 - content, content, cell_px)
        assert negative.correlation == pytest.approx(-1.0)
        assert negative.ssim < 0


def test_fidelity_sees_cells_and_neither_texture_nor_incomplete_cells():
    content = np.kron(np.random.default_rng(0).integers(40, 200, (6, 9, 1)), np.ones((8, 8, 3))).astype(np.uint8)
    checks = 20 * (-1) ** (np.add.outer(np.arange(48), np.arange(72)))[..., None]
    checked = (content + checks).astype(np.uint8)
    assert content_fidelity(checked, content, 8) == pytest.approx((1.0, 1.0))
    frame = [(0, 7), (0, 5), (0, 0)]
    assert content_fidelity(np.pad(checked, frame), np.pad(content, frame, constant_values=255), 8) == pytest.approx(
        (1.0, 1.0)
    )


def test_ssim_of_flat_pictures_is_its_luminance_term():
    c1 = (0.01 * 255) ** 2
    correlation, ssim = content_fidelity(flat(100), flat(50), 8)
    assert correlation == 0.0
    assert ssim == pytest.approx((2 * 100 * 50 + c1) / (100**2 + 50**2 + c1))


def test_correlation_is_blind_to_contrast_and_ssim_is_not():
    content = picture()
    pale = (content // 4 + 96).astype(np.uint8)
    correlation, ssim = content_fidelity(pale, content, 16)
    assert correlation > 0.99
    assert 0 < ssim < 0.9


def test_what_fidelity_refuses():
    with pytest.raises(ValueError, match=r"128x128 px like the picture, got \(64, 128\); resize the content"):
        content_fidelity(picture(), picture(64, 128), 8)
    with pytest.raises(ValueError, match=r"expected cell_px in 1\.\.16, got 32"):
        content_fidelity(picture(16, 40), picture(16, 40), 32)


def test_segments_of_hand_made_labels():
    halves = np.repeat([[0, 0, 1]], 4, axis=0)
    assert segments(halves) == Segments(2, 6.0, 4)
    checkerboard = np.add.outer(np.arange(4), np.arange(6)) % 2
    assert segments(checkerboard) == Segments(24, 1.0, 4 * 5 + 3 * 6)
    ring = np.zeros((5, 5), int)
    ring[1:4, 1:4] = 7
    ring[2, 2] = 0  # the label of the outside, and yet a region of its own
    assert segments(ring) == Segments(3, 25 / 3, 12 + 4)
    diagonal = np.array([[1, 0], [0, 1]])
    assert segments(diagonal) == Segments(4, 1.0, 4)
    assert segments(np.zeros((3, 4), np.uint8)) == Segments(1, 12.0, 0)
    assert segments(np.zeros((1, 1), int)) == Segments(1, 1.0, 0)


def test_cuts_of_a_label_map():
    labels = np.array([[3, 3, 0], [3, 3, 0], [3, 0, 0]], np.uint16)
    assert cuts(labels) == {
        "largest_share": pytest.approx(5 / 9),
        "segments": 2.0,
        "segment_area_px": 4.5,
        "segment_border_px": 4.0,
    }


def test_entropy_and_share_from_one_template_to_all():
    even = np.full((5, 3, 4), 0.2, np.float32)
    assert mean_entropy(even) == pytest.approx(math.log(5))
    assert largest_share(even) == pytest.approx(0.2)
    cut = np.zeros((3, 2, 4), np.float16)
    cut[0, :, :3] = cut[2, :, 3:] = 1.0
    assert mean_entropy(cut) == 0.0
    assert largest_share(cut) == pytest.approx(0.75)


def tiled(tile_px: int, offset_px: int = 0, step: int = 20) -> np.ndarray:
    """A texture whose tiles are lighter by `step` levels in a checkerboard."""
    tile = (np.arange(128) - offset_px) // tile_px
    lighter = np.add.outer(tile, tile) % 2
    return (picture(seed=2) // 2 + step * lighter[..., None]).astype(np.uint8)


@pytest.mark.parametrize("offset_px", [0, 5, 35])
def test_seams_show_where_tiles_meet(offset_px):
    smooth = (blurred(tiled(32, offset_px, step=0), 3) + (tiled(32, offset_px) - tiled(32, offset_px, step=0))).astype(
        np.uint8
    )
    assert seam_ratio(smooth, 32, offset_px=offset_px) > 10
    assert seam_ratio(smooth, 32, offset_px=offset_px + 1) < 1
    assert seam_ratio(smooth, 32, offset_px=offset_px + 32) == seam_ratio(smooth, 32, offset_px=offset_px)


def test_a_seamless_texture_has_ratio_one():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert seam_ratio(noise, 32) == pytest.approx(1, abs=0.05)
    assert seam_ratio(flat(9), 32) == 1.0
    half = flat(0)
    half[:, 32:] = 20
    assert seam_ratio(half, 32) == math.inf


def test_seams_by_hand():
    columns = np.array([[0, 2, 12, 14]] * 2, np.uint8)[..., None].repeat(3, 2)
    # across: 10 and 10; along: 2 four times; between the rows, whose border lies outside, 0 four times
    assert seam_ratio(columns, 2) == pytest.approx(10 / 1)


def test_what_seams_refuse():
    with pytest.raises(ValueError, match="expected a tile border inside the picture of 64x64 px"):
        seam_ratio(flat(0), 64)
    with pytest.raises(ValueError, match="expected tile_px >= 2, got 1"):
        seam_ratio(flat(0), 1)


def test_colour_shift_is_the_largest_channel():
    other = flat(100, 10, 20)
    other[..., 1] = 70
    other[:, :10, 2] = 110  # mean 105
    assert colour_shift(flat(100), other) == pytest.approx(30)
    assert colour_shift(other, other) == 0.0


def test_score_says_only_what_it_was_asked(quick):
    style, other, content = picture(seed=1), picture(64, 90, seed=2), picture(seed=3)
    weights = np.zeros((2, 128, 128), np.float32)
    weights[0, :, :32] = weights[1, :, 32:] = 1.0
    bare = score(style, [style, other])
    assert set(bare) == {"style_distance", "colour_shift"}
    pooled = (128 * 128 * style.mean((0, 1)) + 64 * 90 * other.mean((0, 1))) / (128 * 128 + 64 * 90)
    assert bare["colour_shift"] == pytest.approx(np.abs(style.mean((0, 1)) - pooled).max())
    full = score(style, [style, other], content, weights)
    assert full["content_correlation_16px"] == content_fidelity(style, content, 16).correlation
    assert full["content_ssim_32px"] == content_fidelity(style, content, 32).ssim
    of_weights = {"entropy": 0.0, "largest_share": 0.75, "segments": 2.0, "segment_area_px": 8192.0}
    assert full | bare | of_weights | {"segment_border_px": 128.0} == full
    assert len(full) == 2 + 2 * len(CELLS_PX) + 5
