"""Wherever a face is, some square shows it whole and large enough."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from microau.engine.face_search import DETECTABLE, squares

FACE = 1.6  # width and height of a face over the distance of its outer eye corners


@given(
    width=st.integers(90, 4000),
    height=st.integers(90, 2200),
    least=st.floats(20, 80),
    larger=st.floats(1, 30),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_every_face_is_whole_and_large_enough_in_some_square(width, height, least, larger, x, y):
    oed = min(least * larger, min(width, height) / FACE)
    if oed < least:
        return
    half = FACE * oed / 2
    centre = np.array([half + x * (width - 2 * half), half + y * (height - 2 * half)])

    def shows(square):
        inside = np.abs(centre - [square.x, square.y]).max() + half <= square.size / 2 + 1e-6
        return inside and oed >= 0.999 * DETECTABLE * square.size

    assert any(map(shows, squares(width, height, least)))


@given(width=st.integers(1, 4000), height=st.integers(1, 2200), oed=st.floats(0, 100))
def test_the_squares_are_few_and_lie_in_the_picture(width, height, oed):
    found = squares(width, height, oed)
    assert found[0].size == max(width, height)
    assert len(found) < 1500
    for square in found[1:]:
        assert square.x - square.size / 2 >= -1e-6 or square.size > width
        assert square.y + square.size / 2 <= height + 1e-6 or square.size > height


def test_a_picture_of_the_usual_size_takes_three_looks():
    assert len(squares(640, 480, 45)) == 3
    assert len(squares(360, 288, 45)) == 1
