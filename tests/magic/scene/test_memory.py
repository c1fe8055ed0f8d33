import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magic.geometry import Box
from magic.scene.memory import MemorySet, PictureList, Template, allot, draw_templates, mirrored, window
from tests.conftest import memory_set, textured

RNG = np.random.default_rng(0)
STYLES = [textured(RNG, 20, 30), textured(RNG, 33, 17)]


@given(st.integers(2, 20), st.integers(0, 19))
def test_mirroring_is_reflection_padding(length, pad):
    pad = min(pad, length - 1)
    assert mirrored(-pad, length + pad, length).tolist() == np.pad(np.arange(length), pad, "reflect").tolist()


@given(st.integers(1, 9), st.integers(-50, 50))
def test_mirroring_goes_on_for_ever(length, start):
    period = max(2 * length - 2, 1)
    assert mirrored(start, start + 9, length).tolist() == mirrored(start + period, start + period + 9, length).tolist()
    assert set(mirrored(-100, 100, length).tolist()) == set(range(length))


@given(st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 40), st.integers(1, 40))
def test_a_window_is_the_same_wherever_it_is_cut_from(top, left, height, width):
    memory = memory_set(STYLES, 3, seed=1)
    box = Box(top, left, top + height, left + width)
    around = Box(top - 7, left - 5, top + height + 3, left + width + 9)
    rows, columns = box.within(around).slices
    assert np.array_equal(memory.window(box), memory.window(around)[:, rows, columns])


def test_a_template_without_move_is_the_picture():
    memory = MemorySet(dict(enumerate(STYLES)), (Template(0, 0, 0), Template(0, 0, 0, flip=True)))
    plain, flipped = memory.window(Box(0, 0, 20, 30))
    assert np.array_equal(plain, STYLES[0])
    assert np.array_equal(flipped, STYLES[0][:, ::-1])
    assert np.array_equal(window(STYLES[1], Box(3, 4, 10, 12)), STYLES[1][3:10, 4:12])


def test_draws_follow_the_seed_and_use_all_pictures():
    drawn = memory_set(STYLES, 6, seed=3).templates
    assert drawn == memory_set(STYLES, 6, seed=3).templates
    assert drawn != memory_set(STYLES, 6, seed=4).templates
    assert sorted(template.picture for template in drawn) == [0, 0, 0, 1, 1, 1]


def test_templates_can_be_turned_and_need_not_be_mirrored():
    pictures = PictureList(STYLES)
    turned = draw_templates(pictures, 40, 0, rotate=True)
    assert {template.turns for template in turned} == {0, 1, 2, 3}
    flat = draw_templates(PictureList([textured(RNG, 10, 300)]), 60, 0, rotate=True)
    assert max(template.top for template in flat if template.turns % 2) > 100  # on its side, it is high
    assert max(template.top for template in flat if not template.turns % 2) < 20
    assert not any(template.flip for template in draw_templates(pictures, 40, 0, mirror=False))
    memory = MemorySet(dict(enumerate(STYLES)), (Template(0, 0, 0, turns=1), Template(0, 0, 0, flip=True, turns=2)))
    assert np.array_equal(memory.crop(0, Box(0, 0, 30, 20)), np.rot90(STYLES[0]))
    assert np.array_equal(memory.crop(1, Box(0, 0, 20, 30)), STYLES[0][::-1])


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=12), st.integers(1, 60), st.integers(0, 5))
def test_pictures_are_allotted_by_their_shares(shares, count, seed):
    chosen = allot(shares, count, np.random.default_rng(seed))
    for number, share in enumerate(shares):
        exact = count * share / sum(shares)
        assert math.floor(exact - 1e-6) <= chosen.count(number) <= math.ceil(exact + 1e-6)


def test_empty_sets_are_refused():
    with pytest.raises(ValueError, match="K >= 1"):
        memory_set(STYLES, 0, seed=0)
    with pytest.raises(ValueError, match="style picture"):
        memory_set([], 3, seed=0)
