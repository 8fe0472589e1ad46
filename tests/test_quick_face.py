"""The quick face: what is drawn moves as its truth says, seen by an observer who knows nothing of it."""

import cv2
import numpy as np
import pytest

from microau.engine.faces import find_faces
from microau.engine.records import Picture
from microau.training.generate.fields import Fields
from microau.training.generate.state import Head, State
from microau.training.quick_face import PARTNERS, QuickFace, mirrored

data = pytest.importorskip("skimage.data")
CORNER, OTHER, CHIN = 291, 61, 199


@pytest.fixture(scope="module")
def photo():
    rgb = data.astronaut()
    (face,) = find_faces(Picture.from_rgb(rgb))
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), face.points


@pytest.fixture(scope="module")
def face(photo):
    return QuickFace(*photo, 100.0).with_fields(Fields())


def seen(face, state, points):
    """(n, 2) shift of some mesh points by Farneback's flow, averaged near each."""
    before, after = (np.clip(face.render(s), 0, 255).astype(np.uint8) for s in (State(), state))
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 21, 5, 7, 1.5, 0)
    flow = cv2.GaussianBlur(flow, (0, 0), 2)
    return np.array([flow[int(y), int(x)] for x, y in face.points[points, :2]])


def test_a_raised_corner_moves_where_the_truth_says(face):
    state = State({"12L": 4.0})
    true = (face.landmarks(state) - face.landmarks(State()))[[CORNER, OTHER], :2]
    found = seen(face, state, [CORNER, OTHER])
    assert np.hypot(*true[0]) > 2.0
    np.testing.assert_allclose(found[0], true[0], atol=0.35 * np.hypot(*true[0]))
    assert np.hypot(*found[1]) < 0.4


@pytest.mark.parametrize("head", [Head(x=3.0, y=-2.0), Head(roll=2.0), Head(yaw=3.0), Head(pitch=3.0)])
def test_the_head_moves_as_the_truth_says(face, head):
    points = [4, CHIN, 33, 263, 105]
    true = (face.landmarks(State(head=head)) - face.landmarks(State()))[points, :2]
    found = seen(face, State(head=head), points)
    assert np.hypot(*true.T).max() > 1.0
    assert np.median(np.hypot(*(found - true).T)) < 0.55  # a dense flow on bare skin


def test_turns_go_the_way_they_are_named(face):
    nose = [
        (face.landmarks(State(head=h)) - face.landmarks(State()))[4, :2]
        for h in (Head(yaw=5), Head(pitch=5))
    ]
    assert nose[0][0] > 0.5  # towards the picture's right
    assert nose[1][1] < -0.5  # up


def test_a_blink_moves_the_lids_alone(face):
    shift = face.landmarks(State(closure=1.0)) - face.landmarks(State())
    assert shift[[386, 159], 1].min() > 3.0
    assert np.abs(shift[[CORNER, OTHER, CHIN, 4]]).max() < 0.5


def test_a_mirrored_face_is_a_face_with_its_names(photo):
    picture, points = mirrored(*photo)
    (again,) = find_faces(Picture.from_rgb(np.repeat(picture.astype(np.uint8)[..., None], 3, axis=2)))
    gaps = np.hypot(*(again.points[:, :2] - points[:, :2]).T)
    assert np.median(gaps) < 0.03 * again.oed
    assert (PARTNERS[PARTNERS] == np.arange(478)).mean() > 0.98
