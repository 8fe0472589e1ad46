"""The face as a soft sheet: MediaPipe's 468-point mesh, a skirt around it, and a smooth subdivision.

Displacements are written at the mesh points; between them they must be as smooth as skin, and they
must not leak across the openings of the eyes and the mouth. Loop subdivision does both: it follows
the mesh, whose eyes and mouth are holes. Its control values are solved for, so that the fine surface
passes through every mesh point and the truth at a landmark is what was written there.

The skirt continues the sheet over hair, ears and neck, where head motion fades into the still
background; the rims are thin see-through strips that soften the edges of lids and lips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import (
    CANONICAL,
    FACE_OVAL,
    LEFT_EYE,
    LIPS_INNER,
    N_MESH,
    RIGHT_EYE,
    TRIANGLES,
)
from .raster import gather

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

RINGS = (1.14, 1.34, 1.62, 2.05)
"""Skirt rings, as multiples of the distance of the face oval from the middle of the face."""
LEVELS = 2
"""Subdivisions: edges of about 2 % of the eye distance."""

HOLES = (RIGHT_EYE, LEFT_EYE, LIPS_INNER)
"""The openings of the sheet."""


def canonical() -> Floats:
    """(468, 3) the average face in its own frame: percent of the eye distance from the middle between
    the outer eye corners, x to the picture's right (subject's left), y down, z away from the camera.
    """
    points = np.asarray(CANONICAL, np.float64)[:N_MESH] * (1, -1, -1)
    middle = (points[33] + points[263]) / 2
    return np.asarray((points - middle) * 100 / np.linalg.norm(points[33] - points[263]))


@lru_cache(maxsize=1)
def mirror() -> Ints:
    """(468,) index of the same point on the other half of the face."""
    points = canonical()
    gaps = ((points[:, None] - points[None] * (-1, 1, 1)) ** 2).sum(axis=2)
    return np.asarray(np.argmin(gaps, axis=1), np.int32)


def face_frame(points: NDArray[np.floating]) -> tuple[Floats, Floats, float]:
    """Where and how large a face stands in its picture.

    points  (478 or 468, 3) in pixels
    return  origin (3,), axes (3, 3) with x along the eye line in the picture plane, OED in pixels:
            picture = origin + oed / 100 * (face_frame @ axes)
    """
    right, left = np.asarray(points[33], np.float64), np.asarray(points[263], np.float64)
    along = (left - right) * (1, 1, 0)
    oed = float(np.linalg.norm(along))
    x, y = along[:2] / oed
    return (left + right) / 2, np.array([[x, y, 0], [-y, x, 0], [0, 0, 1.0]]), oed


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A matrix with few entries: row r is the sum over k of shares[k] * values[parents[k]]."""

    starts: Ints
    """(R + 1,) the entries of row r are starts[r] .. starts[r + 1] - 1."""
    parents: Ints
    """(N,)"""
    shares: NDArray[np.float32]
    """(N,)"""

    @classmethod
    def of(cls, matrix: NDArray[np.floating], least: float = 0.0) -> Sparse:
        """Entries of (R, C) larger than `least`; what is left out is made up for in each row's sum."""
        kept = np.where(np.abs(matrix) > least, matrix, 0)
        kept *= matrix.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
        rows, parents = np.nonzero(kept)
        starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
        shares = kept[rows, parents].astype(np.float32)
        return cls(starts.astype(np.int32), parents.astype(np.int32), shares)

    def __matmul__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gather(self.starts, self.parents, self.shares, values))


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The fine surface, the same for every person."""

    triangles: Ints
    """(T, 3) of fine vertices."""
    through: Sparse
    """(C, C) control values that make the surface pass through C = 468 + 144 given values."""
    limit: Sparse
    """(V, C) fine vertices from control values."""
    head: NDArray[np.float32]
    """(V,) share of the head's motion: 1 on the face, 0 on the outermost ring."""
    alpha: NDArray[np.float32]
    """(V,) 1 skin, 0 at the inner edge of the rims of eyes and mouth."""
    rims: tuple[tuple[Ints, Ints], ...]
    """For right eye, left eye, mouth: fine vertices of the edge and of the rim's inner side."""


def with_skirt(values: Floats, fade: tuple[float, ...]) -> Floats:
    """Control values (612, n): those of the mesh (468, n), then of the rings, faded from the oval's."""
    rings = [values[FACE_OVAL] * f for f in fade]
    return np.concatenate([values, *rings])


def skirt_points(points: Floats) -> Floats:
    """(612, 3) mesh points and the rings around them, which recede from the camera."""
    middle = points[FACE_OVAL].mean(axis=0)
    spokes = points[FACE_OVAL] - middle
    reach = float(np.linalg.norm(spokes[:, :2], axis=1).mean())
    rings = []
    for scale in RINGS:
        ring = middle + spokes * (scale, scale, 1)
        ring[:, 2] = points[FACE_OVAL, 2] + reach * 0.8 * (scale - 1)
        rings.append(ring)
    return np.concatenate([points, *rings])


def _coarse_triangles() -> Ints:
    inner = FACE_OVAL.astype(np.int32)
    filled = [np.isin(TRIANGLES, hole).all(axis=1) for hole in HOLES]
    triangles = [TRIANGLES[~np.any(filled, axis=0)].astype(np.int32)]
    for ring in range(len(RINGS)):
        outer = N_MESH + ring * len(FACE_OVAL) + np.arange(len(FACE_OVAL), dtype=np.int32)
        a, b, c, d = inner, np.roll(inner, -1), outer, np.roll(outer, -1)
        triangles += [np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)]
        inner = outer
    return np.concatenate(triangles)


def _edges(triangles: Ints) -> tuple[Ints, Ints, Ints]:
    """Unique edges (E, 2), the number of triangles at each (E,), and each triangle's edges (T, 3)."""
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    edges, place, count = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    return edges.astype(np.int32), count.astype(np.int32), place.reshape(-1, 3).astype(np.int32)


def _loop_step(triangles: Ints, values: Floats) -> tuple[Ints, Floats]:
    """One Loop subdivision (Loop 1987; boundary rules of Hoppe et al. 1994) of values (V, n)."""
    edges, count, of_triangle = _edges(triangles)
    border = count == 1
    middle = values[edges].mean(axis=1)
    opposite = np.zeros((len(edges), values.shape[1]))
    np.add.at(opposite, of_triangle.ravel(), values[triangles[:, [2, 0, 1]].ravel()])
    middle[~border] = 0.75 * middle[~border] + 0.125 * opposite[~border]
    n = len(values)
    a, b, c = triangles.T
    x, y, z = n + of_triangle.T
    fine = [np.stack(t, axis=1) for t in ((a, x, z), (b, y, x), (c, z, y), (x, y, z))]
    return np.concatenate(fine).astype(np.int32), np.concatenate([_old(values, edges, border), middle])


def _old(values: Floats, edges: Ints, border: NDArray[np.bool_]) -> Floats:
    total, degree = np.zeros_like(values), np.zeros(len(values))
    rim, on_rim = np.zeros_like(values), np.zeros(len(values), bool)
    for i, j in (edges.T, edges.T[::-1]):
        np.add.at(total, i, values[j])
        np.add.at(degree, i, 1)
        np.add.at(rim, i[border], values[j[border]])
        on_rim[i[border]] = True
    beta = np.where(degree == 3, 3 / 16, 3 / (8 * degree))[:, None]
    inside = (1 - degree[:, None] * beta) * values + beta * total
    return np.where(on_rim[:, None], 0.75 * values + 0.125 * rim, inside)


@lru_cache(maxsize=1)
def sheet() -> Sheet:
    """Build the fine surface once."""
    triangles = _coarse_triangles()
    n = N_MESH + len(RINGS) * len(FACE_OVAL)
    weights = np.eye(n)
    for _ in range(LEVELS):
        triangles, weights = _loop_step(triangles, weights)
    through = np.linalg.inv(weights[:n])
    triangles, weights, alpha, rims = _add_rims(triangles, weights)
    ends = with_skirt(np.ones((N_MESH, 1)), (1.0, 0.9, 0.45, 0.0))
    head = (weights @ through @ ends)[:, 0]
    return Sheet(
        triangles,
        Sparse.of(through, 1e-5),
        Sparse.of(weights),
        np.clip(head, 0, 1).astype(np.float32),
        alpha,
        rims,
    )


def refine(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(V, n) the fine surface through control values (612, n)."""
    surface = sheet()
    return surface.limit @ (surface.through @ np.asarray(values, np.float32))


def _add_rims(
    triangles: Ints, weights: Floats
) -> tuple[Ints, Floats, NDArray[np.float32], tuple[tuple[Ints, Ints], ...]]:
    """Double the vertices along the openings: the copies are moved inwards by the renderer."""
    edges, count, _ = _edges(triangles)
    loops = _loops(edges[count == 1])
    alpha, rims = [np.ones(len(weights), np.float32)], []
    for hole in HOLES:
        ring = next(loop for loop in loops if hole[0] in loop)
        inner = len(weights) + np.arange(len(ring), dtype=np.int32)
        a, b, c, d = ring, np.roll(ring, -1), inner, np.roll(inner, -1)
        triangles = np.concatenate([triangles, np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
        weights = np.concatenate([weights, weights[ring]])
        alpha.append(np.zeros(len(ring), np.float32))
        rims.append((ring, inner))
    return triangles, weights, np.concatenate(alpha), tuple(rims)


def _loops(edges: Ints) -> list[Ints]:
    """Closed chains of border edges (E, 2)."""
    following: dict[int, list[int]] = {}
    for a, b in edges.tolist():
        following.setdefault(a, []).append(b)
        following.setdefault(b, []).append(a)
    loops = []
    while following:
        start = next(iter(following))
        chain, last = [start], -1
        while True:
            a = chain[-1]
            onward = next(b for b in following[a] if b != last)
            last = a
            if onward == start:
                break
            chain.append(onward)
        for a in chain:
            del following[a]
        loops.append(np.array(chain, np.int32))
    return loops
