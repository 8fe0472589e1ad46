"""Landmarks fall into the right tokens, padding stays out, gathering is what NumPy gathers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microau.engine.tokens import gather_tokens, landmark_table, token_indices, unit_tokens

PAPER_UNITS = [[19, 20, 21, 22, 23, 24], [38, 41, 44, 47], [48, 54], [55, 59, 60, 64], [7, 8, 9, 57]]


def plain_token(x: float, y: float, frame: tuple[int, int], grid: tuple[int, int]) -> int:
    """Equation 1 by searching for the cell whose edges enclose the point."""
    rows = [r for r in range(grid[0]) if y * grid[0] >= r * frame[0]]
    columns = [c for c in range(grid[1]) if x * grid[1] >= c * frame[1]]
    return (rows[-1] if rows else 0) * grid[1] + (columns[-1] if columns else 0)


@settings(deadline=None)
@given(
    st.integers(1, 900), st.integers(1, 900), st.integers(1, 28), st.integers(1, 28),
    st.integers(-200, 2000), st.integers(-200, 2000),
)  # fmt: skip
def test_equation_1_agrees_with_a_search_for_the_cell(h0, w0, h, w, x4, y4):
    x, y = x4 / 2 + 0.25, y4 / 2 + 0.25  # a quarter off any pixel, so that no rounding decides an edge
    near_edge = min(abs(y * h / h0 - round(y * h / h0)), abs(x * w / w0 - round(x * w / w0))) < 1e-4
    if near_edge:
        return
    found = token_indices(np.array([[x, y]]), (h0, w0), (h, w))
    assert found.tolist() == [plain_token(x, y, (h0, w0), (h, w))]


def test_a_point_on_an_edge_belongs_to_the_later_cell():
    points = np.array([[31.99, 0], [32, 0], [0, 32], [223.99, 223.99]])
    assert token_indices(points, (224, 224), (7, 7)).tolist() == [0, 1, 7, 48]


def test_points_outside_the_frame_go_to_the_border_cells():
    points = np.array([[-50.0, -1.0], [500, 10], [10, 1e6]])
    assert token_indices(points, (224, 224), (7, 7)).tolist() == [0, 6, 42]


@pytest.mark.parametrize("points", [68, 478])
def test_a_batch_is_its_faces_one_by_one(points):
    rng = np.random.default_rng(points)
    faces = rng.uniform(-5, 230, (5, points, 2)).astype(np.float32)
    table = landmark_table(PAPER_UNITS)
    indices, mask = unit_tokens(faces, table, (224, 224), (14, 14))
    for face, found in zip(faces, indices, strict=True):
        for unit, row, kept in zip(PAPER_UNITS, found, mask, strict=True):
            assert row[kept].tolist() == token_indices(face[unit], (224, 224), (14, 14)).tolist()
            assert not row[~kept].any()
    assert mask.sum(1).tolist() == [len(unit) for unit in PAPER_UNITS]


def test_a_landmark_that_no_face_has_is_refused():
    with pytest.raises(ValueError, match="landmark 64, a face has 60"):
        unit_tokens(np.zeros((1, 60, 2), np.float32), landmark_table(PAPER_UNITS), (224, 224), (7, 7))


@pytest.mark.parametrize(("batch", "grid", "width"), [(1, 7, 512), (3, 14, 64), (9, 28, 3)])
def test_gathering_agrees_with_numpy(batch, grid, width):
    rng = np.random.default_rng(grid)
    tokens = rng.normal(size=(batch, grid * grid, width)).astype(np.float32)
    faces = rng.uniform(0, 224, (batch, 68, 2)).astype(np.float32)
    indices, mask = unit_tokens(faces, landmark_table(PAPER_UNITS), (224, 224), (grid, grid))
    expected = tokens[np.arange(batch)[:, None, None], indices] * mask[:, :, None]
    np.testing.assert_array_equal(gather_tokens(tokens, indices, mask), expected)


def test_gathering_refuses_a_token_outside_the_grid():
    with pytest.raises(ValueError, match=r"token numbers 0\.\.4, there are 4"):
        gather_tokens(np.zeros((1, 4, 2), np.float32), np.array([[[0, 4]]]), np.ones((1, 2), bool))
