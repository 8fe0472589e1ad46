"""Names of the points, against the symmetry of the face and the mean shape of 300-W."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microau.engine import landmarks as lm

MIRROR_68 = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    *range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip
# Mean shape of points 17-67 over the faces of 300-W, as published with dlib's alignment tools.
MEAN_300W = np.array([
    [.000, .106], [.075, .039], [.181, .019], [.291, .034], [.393, .077], [.587, .077], [.689, .034],
    [.799, .019], [.905, .039], [.980, .106], [.490, .203], [.490, .307], [.490, .410], [.490, .516],
    [.367, .587], [.426, .609], [.490, .628], [.554, .609], [.613, .587], [.122, .216], [.187, .179],
    [.266, .180], [.335, .232], [.261, .245], [.183, .244], [.646, .232], [.714, .180], [.793, .179],
    [.859, .216], [.798, .244], [.719, .245], [.254, .780], [.341, .745], [.429, .727], [.490, .743],
    [.551, .727], [.639, .745], [.726, .780], [.642, .865], [.557, .902], [.490, .909], [.424, .902],
    [.338, .865], [.290, .785], [.428, .779], [.490, .785], [.552, .779], [.690, .785], [.553, .824],
    [.490, .832], [.427, .824],
])  # fmt: skip
FRONTAL = np.vstack([lm.CANONICAL[:, :2] * [1, -1], np.zeros((10, 2))])


def mirror():
    """Number of the canonical face's point opposite to each."""
    opposite = lm.CANONICAL * [-1, 1, 1]
    distance = np.linalg.norm(opposite[:, None] - lm.CANONICAL[None], axis=2)
    assert distance.min(axis=1).max() < 1e-3
    return distance.argmin(axis=1)


def test_the_68_points_are_as_symmetric_as_their_numbering():
    np.testing.assert_array_equal(mirror()[lm.IBUG68], lm.IBUG68[MIRROR_68])


def test_the_68_points_have_the_mean_shape_of_300w():
    shape = lm.to_68(FRONTAL)[17:]
    centred, mean = shape - shape.mean(axis=0), MEAN_300W - MEAN_300W.mean(axis=0)
    scale = np.sqrt((mean**2).sum(axis=0) / (centred**2).sum(axis=0))  # the mean is stretched to a square
    away = np.linalg.norm(centred * scale - mean, axis=1)  # shares of the brows' width
    assert away.max() < 0.065
    assert away.mean() < 0.025
    nearest = np.linalg.norm((centred * scale)[:, None] - mean[None], axis=2).argmin(axis=0)
    assert (nearest == np.arange(51)).mean() > 0.95


def test_the_jaw_runs_evenly_from_image_left_to_right():
    jaw = lm.to_68(FRONTAL)[:17]
    steps = np.linalg.norm(np.diff(jaw, axis=0), axis=1)
    assert (np.diff(jaw[:, 0])[2:-2] > 0).all()
    assert jaw[:, 1].argmax() == 8
    assert steps.max() < 1.6 * steps.min()


@pytest.mark.parametrize(
    ("right", "left"),
    [
        (lm.RIGHT_EYE, lm.LEFT_EYE),
        (lm.RIGHT_UPPER_LID, lm.LEFT_UPPER_LID),
        (lm.RIGHT_LOWER_LID, lm.LEFT_LOWER_LID),
        (lm.RIGHT_BROW, lm.LEFT_BROW),
    ],
)
def test_left_is_the_mirror_of_right_and_lies_on_the_pictures_right(right, left):
    np.testing.assert_array_equal(mirror()[right], left)
    assert FRONTAL[left, 0].min() > 0 > FRONTAL[right, 0].max()


def test_the_mesh_has_one_rim_and_it_is_the_face_oval():
    edges = np.sort(lm.TRIANGLES[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    oval = np.sort(np.column_stack([lm.FACE_OVAL, np.roll(lm.FACE_OVAL, -1)]), axis=1)
    np.testing.assert_array_equal(edges[counts == 1], np.unique(oval, axis=0))


def test_lips_and_eyes_run_along_edges_of_the_mesh():
    edges = np.sort(lm.TRIANGLES[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1).tolist()
    for ring in (lm.LIPS_OUTER, lm.LIPS_INNER, lm.RIGHT_EYE, lm.LEFT_EYE):
        around = np.sort(np.column_stack([ring, np.roll(ring, -1)]), axis=1).tolist()
        assert all(edge in edges for edge in around)


def face(gap=0.3, mouth=0.1, look=(0.0, 0.0)):
    """Frontal: lids `gap` and lips `mouth` of their widths apart, irises `look` of an eye's width aside."""
    points = FRONTAL.copy()
    lids = [(lm.RIGHT_UPPER_LID, lm.RIGHT_LOWER_LID), (lm.LEFT_UPPER_LID, lm.LEFT_LOWER_LID)]
    for upper, lower in lids:
        open_lids(points, upper[1:-1], lower[1:-1], points[upper[[0, -1]]], gap)
    lips = lm.LIPS_INNER
    open_lids(points, lips[1:10], lips[:10:-1], points[[78, 308]], mouth)
    for iris, (start, end) in ((468, (33, 133)), (473, (362, 263))):
        width = np.linalg.norm(points[end] - points[start])
        points[iris] = (points[start] + points[end]) / 2 + width * np.array(look)
    return points


def open_lids(points, upper, lower, corners, gap):
    width = np.linalg.norm(corners[1] - corners[0])
    points[lower] = points[upper] + [0, gap * width]


def moved(points, angle, scale, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T * scale + shift).astype(np.float32)


anywhere = {
    "angle": st.floats(-0.6, 0.6),
    "scale": st.floats(3, 60),
    "shift": st.tuples(st.floats(0, 2000), st.floats(0, 1000)),
}


@given(gap=st.floats(0, 0.5), mouth=st.floats(0, 0.9), **anywhere)
def test_openings_are_shares_of_the_width_wherever_the_face_is(gap, mouth, angle, scale, shift):
    points = moved(face(gap, mouth), angle, scale, shift)
    assert lm.eye_opening(points) == pytest.approx((gap, gap), abs=0.002)
    assert lm.mouth_opening(points) == pytest.approx(mouth, abs=0.002)


def test_each_eye_has_its_own_opening():
    points = face(0.3)
    points[lm.RIGHT_LOWER_LID[1:-1]] = points[lm.RIGHT_UPPER_LID[1:-1]]
    right, left = lm.eye_opening(points)
    assert right == 0
    assert left == pytest.approx(0.3, abs=1e-6)


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.2, 0.2), **anywhere)
def test_gaze_is_where_the_irises_stand_in_the_eyes(x, y, angle, scale, shift):
    across = moved(face(look=(x, y)), angle, scale, shift)
    assert lm.gaze(across) == pytest.approx((x, y), abs=0.06)  # eyes slant by a few degrees
    ahead = moved(face(look=(0, 0)), angle, scale, shift)
    assert lm.gaze(ahead) == pytest.approx((0, 0), abs=0.002)
