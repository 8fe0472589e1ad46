"""Head pose, against SciPy's rotations and against what its signs must look like in a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from microau.engine.landmarks import CANONICAL, RIGID
from microau.engine.pose import angles, head_pose, head_rotation, rotation_of

NOSE, CHIN, FOREHEAD, RIGHT_EYE, LEFT_EYE = 4, 152, 10, 33, 263
FRONTAL = CANONICAL * np.array([1, -1, -1])  # the picture's axes: x right, y down, z away

degrees = {"yaw": st.floats(-80, 80), "pitch": st.floats(-60, 60), "roll": st.floats(-80, 80)}


def turned(yaw=0.0, pitch=0.0, roll=0.0):
    """The canonical face, turned by SciPy: roll about the viewing axis first, then pitch, then yaw."""
    turn = Rotation.from_euler("zxy", [roll, -pitch, -yaw], degrees=True)
    return turn.apply(FRONTAL)


@given(**degrees, scale=st.floats(2, 50), x=st.floats(-500, 2500), y=st.floats(-500, 2500))
def test_a_turned_face_gives_its_angles_wherever_it_is(yaw, pitch, roll, scale, x, y):
    points = (turned(yaw, pitch, roll) * scale + [x, y, 0]).astype(np.float32)
    np.testing.assert_allclose(head_pose(points), (yaw, pitch, roll), atol=0.05)


@given(**degrees)
def test_angles_undo_rotation_of(yaw, pitch, roll):
    np.testing.assert_allclose(angles(rotation_of(yaw, pitch, roll)), (yaw, pitch, roll), atol=1e-6)


@pytest.mark.parametrize("degrees", [5, 30, 60])
def test_signs_are_those_of_the_record(degrees):
    def seen(pose):
        return (rotation_of(*pose) @ FRONTAL.T).T[:, :2]  # as the camera sees it

    middle = seen((0, 0, 0))
    assert seen((degrees, 0, 0))[NOSE, 0] > middle[NOSE, 0]  # yaw > 0: nose towards the picture's right
    assert seen((0, degrees, 0))[NOSE, 1] < middle[NOSE, 1]  # pitch > 0: nose up
    rolled = seen((0, 0, degrees))
    assert rolled[LEFT_EYE, 1] > rolled[RIGHT_EYE, 1]  # roll > 0: clockwise, the image-right eye lower
    assert rolled[CHIN, 0] < rolled[FOREHEAD, 0]


def test_an_expression_does_not_turn_the_head():
    points = turned(15, -10, 5) * 8
    away = np.setdiff1d(np.arange(468), RIGID)
    points[away] += np.random.default_rng(0).normal(0, 5, (len(away), 3))
    np.testing.assert_allclose(head_pose(points.astype(np.float32)), (15, -10, 5), atol=0.05)


def test_trembling_points_tremble_the_pose_little():
    rng = np.random.default_rng(0)
    points = turned(15, -10, 5) * 8  # 71 px between the eyes
    poses = [head_pose((points + rng.normal(0, 0.2, points.shape)).astype(np.float32)) for _ in range(200)]
    assert np.std(poses, axis=0).max() < 0.5


@pytest.mark.parametrize("points", [np.zeros((468, 3)), FRONTAL * [1, 1, 0], FRONTAL * [1, 0, 0]])
def test_a_degenerate_face_gives_a_rotation_all_the_same(points):
    rotation = head_rotation(points.astype(np.float32))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-6)
