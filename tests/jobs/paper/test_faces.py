import itertools

import numpy as np
import pytest
from PIL import Image

from jobs.paper.faces import draw_face, draw_faces


@pytest.fixture(scope="module")
def faces():
    """64 faces [N size size 3], 0 to 255."""
    return np.stack([draw_face(96, np.random.default_rng([7, n])) for n in range(64)]).astype(np.float32)


def brightness(picture, x, y, radius=0.02):
    """Mean of a small square around a place given in shares of the side."""
    top, bottom, left, right = (round(v * len(picture)) for v in (y - radius, y + radius, x - radius, x + radius))
    return picture[top:bottom, left:right].mean()


def read(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_seed_same_bytes(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_faces(tmp_path / folder, 3, size_px=64, seed=seed)
    assert read(tmp_path / "a") == read(tmp_path / "b")
    assert not set(read(tmp_path / "a").values()) & set(read(tmp_path / "c").values())


def test_more_faces_leave_the_first_as_they_are(tmp_path):
    draw_faces(tmp_path / "few", 2, size_px=64)
    draw_faces(tmp_path / "more", 4, size_px=64)
    few, more = read(tmp_path / "few"), read(tmp_path / "more")
    assert sorted(more) == [f"face-{n:04d}.png" for n in range(4)]
    assert few == {name: more[name] for name in few}


@pytest.mark.parametrize("size_px", [1, 33, 64, 256])
def test_the_size_is_what_was_asked_for(size_px):
    face = draw_face(size_px, np.random.default_rng(0))
    assert face.shape == (size_px, size_px, 3)
    assert face.dtype == np.uint8


def test_files_are_rgb_of_the_size(tmp_path):
    draw_faces(tmp_path, 1, size_px=48)
    with Image.open(tmp_path / "face-0000.png") as face:
        assert (face.mode, face.size) == ("RGB", (48, 48))


def test_no_two_faces_are_alike(faces):
    apart = [np.abs(a - b).mean() for a, b in itertools.combinations(faces, 2)]
    assert min(apart) > 10


def test_aligned_so_the_mean_face_still_has_eyes_and_a_mouth(faces):
    mean = faces.mean((0, 3))
    eyes = [brightness(mean, x, 0.47) for x in (0.4, 0.6)]
    cheeks = [brightness(mean, x, 0.58) for x in (0.4, 0.6)]
    assert max(eyes) < min(cheeks) - 15
    assert brightness(mean, 0.5, 0.68, 0.01) < brightness(mean, 0.5, 0.63, 0.01) - 15


def test_aligned_so_every_eye_is_livelier_than_the_cheek_below(faces):
    for face in faces.mean(-1):  # pupil, white and lid differ more than skin does
        for x in (39, 57):
            assert np.ptp(face[42:48, x - 3 : x + 3]) > 2.5 * np.ptp(face[53:56, x - 1 : x + 2])
