"""Which point of the 3D model each of the 478 face points is: found by looking at it as a photograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import LEFT_IRIS, N_MESH, RIGHT_IRIS
from . import raster
from .ict import BALLS, DRAWN, SKIN, IctModel

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]

IRIS_CM = 0.59
"""Radius of the human iris, which hardly differs between people."""


class Binding:
    """Where the 478 face points lie on the model: each on a triangle, as a mean of its corners.

    points   (478, 3) points of the model
    weights  (478, 3) adding up to 1
    """

    def __init__(self, points: NDArray[np.integer], weights: F32) -> None:
        self.points, self.weights = points, weights

    def of(self, values: NDArray[np.floating]) -> Floats:
        """(478, n) values at the face points of values (N, n) at the model's points."""
        return self.at(values, 1.0)

    def at(self, values: NDArray[np.floating], factor: float) -> Floats:
        """The same, times a factor; only the rows that are needed are converted."""
        rows = values[self.points].astype(np.float64)  # (478, 3, n)
        return np.asarray((rows * (factor * self.weights[:, :, None])).sum(axis=1))


def bind(model: IctModel, seen: F32, points: NDArray[np.floating]) -> Binding:
    """Bind the face points that were found in a picture of the model to its surface.

    seen    (N, 3) where each model point is in that picture, pixels and depth
    points  (478, 3) face points found in it
    """
    skin = (model.material == DRAWN.index(SKIN))[model.triangles].all(axis=1)
    triangles = model.triangles[skin]
    size = np.ceil(seen[:, :2].max(axis=0)).astype(int) + 2
    buffer = raster.blank(int(size[1]), int(size[0]))
    # Every triangle by itself, so that the texture place can hold its number and the place on it.
    corners = seen[model.point[triangles]].reshape(-1, 3)
    looks = np.ones((len(corners), 4), np.float32)
    looks[:, 0] = np.repeat(np.arange(len(triangles)), 3)
    raster.cover(buffer, corners, looks, np.arange(len(corners), dtype=np.int32).reshape(-1, 3), -1.0)
    rows, columns = np.nonzero(buffer[:, :, raster.DEPTH] < raster.EMPTY)
    places = np.column_stack([columns, rows])
    indices, weights = np.empty((478, 3), np.int64), np.empty((478, 3), np.float32)
    for k, point in enumerate(points[:N_MESH, :2]):
        column, row = places[np.argmin(((places - point) ** 2).sum(axis=1))]
        triangle = triangles[round(float(buffer[row, column, raster.U]))]
        indices[k] = model.point[triangle]
        weights[k] = _barycentric(seen[indices[k], :2], point)
    for ball, iris in zip(BALLS, (LEFT_IRIS, RIGHT_IRIS), strict=True):
        indices[iris] = _iris(model.neutral[ball])[:, None] + ball.start
        weights[iris] = 1 / 3
    return Binding(indices, weights)


def _barycentric(corners: F32, point: NDArray[np.floating]) -> Floats:
    """Weights of a triangle's corners for a point, drawn back onto the triangle if it lies beside it."""
    a, b, c = np.asarray(corners, np.float64)
    wb, wc = np.linalg.solve(np.stack([b - a, c - a], axis=1), np.asarray(point, np.float64) - a)
    weights = np.clip([1 - wb - wc, wb, wc], 0, 1)
    return np.asarray(weights / weights.sum())


def _iris(ball: F32) -> NDArray[np.intp]:
    """(5,) of an eyeball's points (n, 3): its front, then the iris' right, top, left, bottom."""
    middle = (ball.min(axis=0) + ball.max(axis=0)) / 2
    front = middle + np.array([0, 0, (ball.max(axis=0) - ball.min(axis=0))[0] / 2])
    ways = np.array([(0, 0, 0), (1, 0, -0.15), (0, 1, -0.15), (-1, 0, -0.15), (0, -1, -0.15)]) * IRIS_CM
    gaps = ((ball[None] - (front + ways)[:, None]) ** 2).sum(axis=2)
    return np.asarray(np.argmin(gaps, axis=1))
