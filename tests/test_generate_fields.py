"""The displacement fields: which way every unit moves the skin, and where it must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microau.engine.aus import UNITS
from microau.engine.landmarks import (
    FACE_OVAL,
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    N_MESH,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
)
from microau.training.generate.anatomy import CHANNELS, MIDLINE, split
from microau.training.generate.fields import Fields, Style, lid_gap
from microau.training.generate.mesh import canonical, face_frame, mirror, refine, sheet, skirt_points

COMMON = Fields()
styles = st.integers(0, 2**32 - 1).map(lambda seed: Style.random(np.random.default_rng(seed)))


def both(fields, au):
    names = [f"{au}"] if au in MIDLINE else [f"{au}L", f"{au}R"]
    return sum(fields[name] for name in names)


@pytest.mark.parametrize("name", CHANNELS)
def test_amplitude_is_the_most_moved_landmark(name):
    assert np.linalg.norm(COMMON[name][:, :2], axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize("au", sorted({split(name)[0] for name in CHANNELS} - set(MIDLINE)))
def test_right_is_the_mirror_image_of_left(au):
    left, right = COMMON[f"{au}L"], COMMON[f"{au}R"]
    np.testing.assert_allclose(right, left[mirror()] * (-1, 1, 1), atol=1e-9)


@pytest.mark.parametrize("au", sorted({split(name)[0] for name in CHANNELS} - set(MIDLINE)))
def test_left_is_the_subjects_left(au):
    """Most of the movement is on the picture's right, x > 0."""
    moved = np.linalg.norm(COMMON[f"{au}L"][:, :2], axis=1)
    assert moved[canonical()[:, 0] > 0].sum() > 4 * moved[canonical()[:, 0] < 0].sum()


@pytest.mark.parametrize("au", [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26])
def test_directions_agree_with_the_measured_shapes(au):
    """The oracle is the runtime's own table, measured on ICT-FaceKit: written by somebody else."""
    predicted = UNITS[au].predicted()
    points = list(predicted)
    wanted = np.array([predicted[p] for p in points])
    moved = both(COMMON, au)[points, :2]
    cosine = (wanted * moved).sum() / np.linalg.norm(wanted) / np.linalg.norm(moved)
    assert cosine > 0.6


@settings(max_examples=15, deadline=None)
@given(styles)
def test_every_person_moves_recognisably(style):
    """Persons differ, but a unit stays itself: nearer to the common one than to any other."""
    person = Fields(style)
    names = [n for n in CHANNELS if not n.endswith("R")]
    mine = np.array([(person[n][:, :2] / np.linalg.norm(person[n][:, :2])).ravel() for n in names])
    common = np.array([(COMMON[n][:, :2] / np.linalg.norm(COMMON[n][:, :2])).ravel() for n in names])
    assert (np.argmax(mine @ common.T, axis=1) == np.arange(len(names))).all()


def test_brows_lids_and_lips_leave_the_jaw_alone():
    jaw = [i for i in FACE_OVAL if canonical()[i, 1] > 90]
    for au in (1, 2, 4, 5, 6, 7, 10):
        assert np.abs(both(COMMON, au)[jaw]).max() < 0.02


def test_lids_are_barriers():
    """What opens the upper lid does not move the lower one, and no brow moves either."""
    lower = [*LEFT_LOWER_LID[1:-1], *RIGHT_LOWER_LID[1:-1]]
    for au in (1, 2, 5):
        assert np.abs(both(COMMON, au)[lower]).max() < 0.05


def test_lips_part():
    upper, lower = [13, 82, 312], [14, 87, 317]
    for au in (25, 26):
        moved = both(COMMON, au)[:, 1]
        assert (moved[lower] > 0.6).all()
        assert (moved[upper] < 0.1).all()


def test_a_smile_lifts_and_a_frown_lowers_the_corners():
    corners = [61, 291]
    assert (both(COMMON, 12)[corners, 1] < -0.5).all()
    assert (both(COMMON, 15)[corners, 1] > 0.5).all()
    assert (np.abs(both(COMMON, 12)[corners, 0]) > 0.4).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.4, 1.6), st.floats(-3, 3))
def test_a_blink_shuts_whatever_eye(height, slant):
    """Eyes of any height and slant: the upper margin comes down onto the lower one."""
    points = canonical().copy()
    for lids in (LEFT_UPPER_LID, LEFT_LOWER_LID, RIGHT_UPPER_LID, RIGHT_LOWER_LID):
        points[lids, 1] *= height
        points[lids, 1] += slant * (np.abs(points[lids, 0]) - 35) / 15
    opening = float(lid_gap(points).max())
    shut = points + opening * Fields(points=points)["45L"]
    inner = slice(1, -1)
    assert np.median(lid_gap(shut)[inner]) < 0.12 * opening


def test_a_style_without_random_numbers_is_the_common_one():
    for name in ("12L", "4R", "17"):
        np.testing.assert_array_equal(Fields(Style())[name], COMMON[name])


def test_unknown_channels_are_refused():
    with pytest.raises(KeyError):
        COMMON["99L"]


def test_the_sheet_passes_through_the_mesh_points():
    control = skirt_points(canonical())
    fine = refine(control)
    np.testing.assert_allclose(fine[: len(control)], control, atol=0.01)
    constant = refine(np.ones((len(control), 1)))
    np.testing.assert_allclose(constant, 1, atol=1e-4)


def test_the_sheet_is_open_at_eyes_and_mouth():
    """No triangle covers the pupils or the gap of an open mouth."""
    fine = refine(skirt_points(canonical()))[:, :2].astype(np.float64)
    triangles = fine[sheet().triangles]
    for place in ((35.5, 0.5), (-35.5, 0.5), (0.0, 78.0)):
        assert not _covered(triangles, np.array(place))
    assert _covered(triangles, np.array([0.0, 40.0]))  # the nose is skin


def _covered(triangles, place):
    a, b, c = (triangles[:, k] - place for k in range(3))
    turns = np.stack([p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((a, b), (b, c), (c, a))])
    return bool(((turns > 0).all(axis=0) | (turns < 0).all(axis=0)).any())


def test_the_face_frame_gives_the_points_back():
    rng = np.random.default_rng(0)
    points = np.concatenate([canonical(), np.zeros((10, 3))]) * 1.3
    angle = 0.3
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    moved = points @ turn + rng.uniform(50, 200, 3)
    origin, axes, oed = face_frame(moved)
    assert oed == pytest.approx(130)
    own = (moved[:N_MESH] - origin) @ axes.T * 100 / oed
    np.testing.assert_allclose(own, canonical(), atol=1e-6)
