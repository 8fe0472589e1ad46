"""Head motion is removed, facial motion stays: against a real rotation of the canonical face."""

import numpy as np
import pytest

from microau.engine.landmarks import CANONICAL, TRIANGLES
from microau.engine.registration import CROP, CROP_OED, crop_matrix, to_crop
from microau.engine.rigid import (
    STABLE,
    _solve,
    fit_rigid,
    normalised,
    paint,
    remove_rigid,
    rigid_shift,
    stable_prior,
)

MOUTH_CORNER = 61


def face_points():
    """The canonical face in crop pixels, (478, 3)."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = CANONICAL * [1, -1, -1]
    points[468:] = points[33]
    return to_crop(points, crop_matrix(points))


def turned(points, yaw_deg, pitch_deg, shift=(0.0, 0.0)):
    """Points after a true rotation about a neck behind the face, orthographic, pixels."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    neck = points.mean(axis=0) + np.array([0, 60, 80])
    return (points - neck) @ (about_y @ about_x).T + neck + np.array([*shift, 0])


@pytest.mark.parametrize(("yaw", "pitch"), [(1, 0), (0, 1.5), (-2, 1)])
def test_a_turned_head_leaves_no_motion(yaw, pitch):
    points = face_points()
    places, _, oed = normalised(points)
    shifts = ((turned(points, yaw, pitch, (3, -2)) - points)[:, :2] / oed).astype(np.float32)
    motion = fit_rigid(places, shifts, stable_prior(478))
    left = np.hypot(*(shifts - rigid_shift(motion, places)).T)[:468]
    assert np.hypot(*shifts.T).max() > 0.02  # the turn itself is far larger than a micro-expression
    assert np.quantile(left, 0.95) < 0.0025


def test_a_smile_is_not_taken_for_head_motion():
    points = face_points()
    places, _, oed = normalised(points)
    shifts = ((turned(points, 1, 0.5) - points)[:, :2] / oed).astype(np.float32)
    mouth = places[:, 1] > 0.55
    shifts[mouth] += np.float32([0.0, -0.03])
    motion = fit_rigid(places, shifts, stable_prior(478))
    left = shifts - rigid_shift(motion, places)
    np.testing.assert_allclose(left[MOUTH_CORNER], [0, -0.03], atol=0.006)
    assert np.hypot(*left[STABLE].T).max() < 0.006


def test_dense_flow_of_a_shift_is_removed():
    points = face_points()
    flow = np.full((CROP, CROP, 2), [4.0, -3.0], np.float32)
    assert np.abs(remove_rigid(flow, points)).max() < 0.02


def test_paint_is_linear_on_every_triangle():
    points = face_points()
    corners = points[:468, :2]
    values = (2 * corners[:, 0] - 3 * corners[:, 1] + 5).astype(np.float32)
    painted = paint(corners, values, TRIANGLES.astype(np.int32), CROP, np.nan)
    y, x = np.mgrid[:CROP, :CROP]
    inside = np.isfinite(painted)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(painted[inside], (2 * x - 3 * y + 5)[inside], atol=1e-2)


def test_units_are_those_of_the_crop():
    assert normalised(face_points())[2] == pytest.approx(CROP_OED, rel=1e-4)


def test_the_small_solver_agrees_with_numpy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        root = rng.normal(size=(6, 6))
        matrix, wanted = root @ root.T + 0.1 * np.eye(6), rng.normal(size=6)
        vector = matrix @ wanted
        _solve(matrix.copy(), vector)
        np.testing.assert_allclose(vector, wanted, atol=1e-8)
