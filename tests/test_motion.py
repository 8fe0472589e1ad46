"""Regional motion of a real face: a drawn movement is measured, head motion and light are not."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from microau.engine.faces import find_faces
from microau.engine.motion import FaceMotion
from microau.engine.records import Face, Frame, Picture
from microau.engine.regions import NAMES, members

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def photo():
    """The astronaut, twice as large, and her face."""
    rgb = cv2.resize(data.astronaut()[:300, 60:400], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (face,) = find_faces(Picture.from_rgb(rgb))
    return rgb, face


def moved(rgb, face, bumps=(), head=None, gain=1.0):
    """The picture with smooth bumps (mesh point, dx, dy in percent of OED), then an affine of the head."""
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float32)
    fx, fy = x.copy(), y.copy()
    for point, dx, dy in bumps:
        px, py = face.points[point, :2]
        reach = 0.16 * face.oed
        weight = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * reach**2)) * face.oed / 100
        fx -= dx * weight
        fy -= dy * weight
    image = cv2.remap(rgb, fx, fy, cv2.INTER_CUBIC)
    points = face.points.copy()
    if head is not None:
        image = cv2.warpAffine(
            image, head, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        points[:, :2] = points[:, :2] @ head[:, :2].T + head[:, 2]
    return np.clip(image * gain, 0, 255).astype(np.uint8), Face(0, points, 1.0)


def shift_after(photo, **changes):
    """(K, 2) percent of OED after a change of the picture."""
    stage = FaceMotion()
    for index, (image, face) in enumerate([(photo[0], photo[1]), moved(*photo, **changes)]):
        frame = Frame(index, index, Fraction(1, 200), index / 200, Picture.from_rgb(image))
        motion = stage.push(frame, face)
    return motion.shift


def test_a_raised_mouth_corner_is_measured_where_it_is(photo):
    shift = shift_after(photo, bumps=[(291, 1.0, -2.0)])
    left, right = (shift[NAMES.index(f"{side} mouth corner")] for side in ("left", "right"))
    np.testing.assert_allclose(left, [1.0, -2.0], atol=0.35)
    assert np.hypot(*right) < 0.25
    brows = shift[members("brow")]
    assert np.hypot(*brows.T).max() < 0.25


@pytest.mark.parametrize(("degrees", "scale", "dx", "dy"), [(0, 1, 5, -3), (1.5, 1, 2, 0), (0, 1.02, 0, 4)])
def test_the_head_may_shift_roll_and_come_nearer(photo, degrees, scale, dx, dy):
    middle = photo[1].points[168, :2].tolist()
    head = cv2.getRotationMatrix2D(middle, degrees, scale)
    head[:, 2] += [dx, dy]
    shift = shift_after(photo, head=head)
    assert np.quantile(np.hypot(*shift.T), 0.9) < 0.2


def test_light_is_not_motion(photo):
    assert np.quantile(np.hypot(*shift_after(photo, gain=0.9).T), 0.9) < 0.12
