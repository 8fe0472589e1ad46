"""Head motion out, facial motion left: a small 3D rotation, shift and scale is fitted and subtracted.

Turning the head by one degree moves the nose against the cheeks by nearly 1 % of the eye distance,
as much as a micro-expression: a fit of a plane cannot see that, a fit with the mesh's depth can.
For a small motion under weak perspective a point (x, y, z) moves by

    dx = tx + s x - wz y + wy z
    dy = ty + s y + wz x - wx z

which is linear in (tx, ty, s, wx, wy, wz). Points that no muscle moves (nose bridge, eye corners,
temples) count most; all others count as long as they follow (iteratively reweighted least squares
with Geman-McClure weights: Black and Anandan, CVIU 1996).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .landmarks import TRIANGLES
from .registration import LEFT_EYE, RIGHT_EYE

Array = NDArray[np.float32]

STABLE = np.array(
    [6, 168, 197, 195, 5, 4, 122, 351, 193, 417, 133, 362, 243, 463, 33, 263, 130, 359, 143, 372]
)
"""Mesh points over bone that facial muscles hardly move: nose bridge, eye corners, temples."""
MOVABLE_WEIGHT = 0.12
"""Of any other point of the mesh: many of them, each counting little."""
TOLERANCE = 0.004
"""OED: a residual of this size halves a point's say twice over. About the noise of dense flow."""
ROUNDS = 6
RIDGE = np.array([1e-6, 1e-6, 1e-4, 1e-3, 1e-3, 1e-4], np.float32)
"""Prefers a shift to a turn where both explain the same motion."""


@njit(cache=True, fastmath=True, nogil=True)
def fit_rigid(
    places: Array, shifts: Array, prior: Array, tolerance: float = TOLERANCE, rounds: int = ROUNDS
) -> Array:
    """The rigid motion that most points follow, (6,) as (tx, ty, s, wx, wy, wz).

    places  (K, 3) x, y, z in OED, origin between the eyes
    shifts  (K, 2) measured motion in OED
    prior   (K,)   how much each point counts, 0 to leave it out
    """
    motion = np.zeros(6, np.float32)
    normal = np.empty((6, 6))
    right = np.empty(6)
    row = np.empty(6)
    for _ in range(rounds):
        normal[:] = 0.0
        right[:] = 0.0
        total = 0.0
        for k in range(places.shape[0]):
            if prior[k] <= 0.0:
                continue
            x, y, z = places[k, 0], places[k, 1], places[k, 2]
            ex = shifts[k, 0] - (motion[0] + motion[2] * x - motion[5] * y + motion[4] * z)
            ey = shifts[k, 1] - (motion[1] + motion[2] * y + motion[5] * x - motion[3] * z)
            ratio = 1.0 + (ex * ex + ey * ey) / (tolerance * tolerance)
            weight = prior[k] / (ratio * ratio)
            total += weight
            for axis in range(2):
                row[:] = 0.0
                row[axis] = 1.0
                row[2] = x if axis == 0 else y
                row[3] = 0.0 if axis == 0 else -z
                row[4] = z if axis == 0 else 0.0
                row[5] = -y if axis == 0 else x
                for i in range(6):
                    right[i] += weight * row[i] * shifts[k, axis]
                    for j in range(6):
                        normal[i, j] += weight * row[i] * row[j]
        for i in range(6):
            normal[i, i] += RIDGE[i] * (total + 1e-6)
        _solve(normal, right)
        motion[:] = right.astype(np.float32)
    return motion


@njit(cache=True, nogil=True)
def _solve(matrix, vector):  # type: ignore[no-untyped-def]
    """Solve a symmetric positive definite system in place, by Cholesky's decomposition: the answer is left
    in `vector`. (Numba's own solver needs SciPy.)
    """
    n = len(vector)
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = math.sqrt(rest) if i == j else rest / matrix[j, j]
    for i in range(n):
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]


def rigid_shift(motion: Array, places: Array) -> Array:
    """Where the rigid motion takes each place: (..., 3) OED -> (..., 2) OED."""
    tx, ty, s, wx, wy, wz = motion
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    return np.stack([tx + s * x - wz * y + wy * z, ty + s * y + wz * x - wx * z], axis=-1)


def normalised(points: Array) -> tuple[Array, NDArray[np.float32], float]:
    """Points (N, 3) in pixels as (N, 3) in OED from the middle of the eyes; that middle; OED in pixels."""
    middle = (points[RIGHT_EYE] + points[LEFT_EYE]) / 2
    oed = float(np.linalg.norm(points[RIGHT_EYE, :2] - points[LEFT_EYE, :2]))
    return (points - middle) / np.float32(oed), middle, oed


def stable_prior(count: int) -> Array:
    """(count,) weights of the mesh points for `fit_rigid`: bone 1, all others little."""
    prior = np.full(count, MOVABLE_WEIGHT, np.float32)
    prior[STABLE] = 1.0
    prior[468:] = 0.0  # irises move by themselves
    return prior


@njit(cache=True, nogil=True)
def paint(corners: Array, values: Array, triangles: NDArray[np.int32], size: int, empty: float) -> Array:
    """Values at the mesh points spread linearly over its triangles, (size, size); `empty` elsewhere.

    corners    (N, 2) x, y in pixels
    values     (N,)
    triangles  (T, 3) point numbers
    """
    out = np.full((size, size), empty, np.float32)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = corners[a, 0], corners[a, 1]
        bx, by = corners[b, 0], corners[b, 1]
        cx, cy = corners[c, 0], corners[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        x0, x1 = max(0, int(np.floor(min(ax, bx, cx)))), min(size - 1, int(np.ceil(max(ax, bx, cx))))
        y0, y1 = max(0, int(np.floor(min(ay, by, cy)))), min(size - 1, int(np.ceil(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                v = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                if u >= -1e-4 and v >= -1e-4 and u + v <= 1.0002:
                    out[y, x] = values[a] + u * (values[b] - values[a]) + v * (values[c] - values[a])
    return out


def places_of_pixels(points: Array, size: int) -> Array:
    """Every pixel of the crop as a place on the face, (size, size, 3) in OED, depth from the mesh.

    points  (478, 3) in crop pixels. Outside the face the depth is that of the face's outline.
    """
    places, middle, oed = normalised(points)
    outline = outline_depth(places[:468])
    depth = paint(points[:468, :2], places[:468, 2], TRIANGLES.astype(np.int32), size, outline)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    return np.stack([(x - middle[0]) / oed, (y - middle[1]) / oed, depth], axis=-1).astype(np.float32)


def outline_depth(places: Array) -> float:
    """Depth in OED of the mesh points (468, 3) that lie far back: what stands around the face."""
    return float(np.quantile(places[:, 2], 0.8))


def sample(field: Array, points: NDArray[np.floating]) -> Array:
    """The field (H, W, 2) at the nearest pixel of each point (N, 2), clipped to the picture."""
    x = np.clip(np.rint(points[:, 0]).astype(np.intp), 0, field.shape[1] - 1)
    y = np.clip(np.rint(points[:, 1]).astype(np.intp), 0, field.shape[0] - 1)
    return np.asarray(field[y, x], np.float32)


def fit_flow(flow: Array, points: Array) -> Array:
    """The head's own motion in a dense flow, (6,) as `fit_rigid`, in OED and radians.

    flow    (S, S, 2) pixels of the crop, x right, y down
    points  (478, 3) face points at the onset, in pixels of the crop
    """
    places, _, oed = normalised(points)
    shifts = sample(flow, points[:, :2]) / np.float32(oed)
    inside = ((points[:, :2] >= 0) & (points[:, :2] <= flow.shape[0] - 1)).all(axis=1)
    prior = stable_prior(len(points)) * inside
    motion: Array = fit_rigid(places, shifts.astype(np.float32), prior.astype(np.float32))
    return motion


def remove_rigid(flow: Array, points: Array) -> Array:
    """Flow of a crop without the head's own motion, (S, S, 2) pixels; arguments as `fit_flow`."""
    points = np.asarray(points, np.float32)
    oed = np.float32(np.linalg.norm(points[RIGHT_EYE, :2] - points[LEFT_EYE, :2]))
    rigid = rigid_shift(fit_flow(flow, points), places_of_pixels(points, flow.shape[0]))
    return (flow - oed * rigid).astype(np.float32)
