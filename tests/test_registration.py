"""The crop: where the eyes land, and that going there and back changes nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from microau.engine.registration import (
    CROP,
    CROP_OED,
    EYE_ROW,
    LEFT_EYE,
    RIGHT_EYE,
    apply,
    crop_matrix,
    invert,
    to_crop,
)

coordinate = st.floats(-500, 500, allow_nan=False)


def face_with_eyes(right, left):
    points = np.zeros((478, 3))
    points[RIGHT_EYE, :2], points[LEFT_EYE, :2] = right, left
    return points


@given(coordinate, coordinate, st.floats(10, 800), st.floats(-1.2, 1.2))
def test_eyes_land_on_their_row_at_their_distance(x, y, oed, roll):
    right = np.array([x, y])
    points = face_with_eyes(right, right + oed * np.array([np.cos(roll), np.sin(roll)]))
    eyes = to_crop(points[[RIGHT_EYE, LEFT_EYE]], crop_matrix(points))
    middle = (CROP - 1) / 2
    np.testing.assert_allclose(eyes[:, 1], EYE_ROW, atol=1e-2)
    np.testing.assert_allclose(eyes[:, 0], [middle - CROP_OED / 2, middle + CROP_OED / 2], atol=1e-2)


@given(coordinate, coordinate)
def test_there_and_back(x, y):
    matrix = crop_matrix(face_with_eyes([100, 120], [180, 135]))
    np.testing.assert_allclose(apply(matrix, apply(invert(matrix), np.array([x, y]))), [x, y], atol=1e-6)
