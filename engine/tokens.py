"""Which token of the model's grid lies under which landmark, and gathering those tokens per action unit.

Letters: B samples (faces or windows), P landmarks of a face, N action units, L landmarks of the unit
that has most, h x w token grid, D token width. A unit with fewer than L landmarks is filled up with
-1 in the table; its places are masked and hold zeros.

Wei et al., "Micro-AU CLIP" (arXiv 2603.16302), equation 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Table = NDArray[np.int64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def landmark_table(units: Sequence[Sequence[int]]) -> Table:
    """Landmark numbers of each unit as one array (N, L), filled up with -1.

    >>> landmark_table([[48, 54], [7, 8, 9]]).tolist()
    [[48, 54, -1], [7, 8, 9]]
    """
    table = np.full((len(units), max((len(unit) for unit in units), default=0)), -1, np.int64)
    for row, unit in zip(table, units, strict=True):
        row[: len(unit)] = unit
    return table


def token_indices(
    landmarks: NDArray[np.floating], frame: tuple[float, float], grid: tuple[int, int]
) -> Indices:
    """Number of the token under each landmark, rows counted first (equation 1), clipped to the grid.

    landmarks  (..., 2) x, y in pixels of the frame
    frame      height and width of that frame in pixels
    grid       h, w of the tokens
    return     (...) int64, row * w + column

    >>> token_indices(np.array([[0.0, 0.0], [223.0, 100.0]]), (224, 224), (7, 7)).tolist()
    [0, 27]
    """
    points = np.ascontiguousarray(landmarks, np.float32)
    flat = np.empty(points.shape[:-1], np.int64)
    _indices(points.reshape(-1, 2), grid_scales(frame, grid), grid, flat.reshape(-1))
    return flat


def unit_tokens(
    landmarks: NDArray[np.floating], table: Table, frame: tuple[float, float], grid: tuple[int, int]
) -> tuple[Indices, Mask]:
    """Token numbers of every unit's landmarks for a batch of faces.

    landmarks  (B, P, 2) x, y in pixels of the frame
    table      (N, L) landmark numbers 0..P-1, -1 where the unit has no more
    return     indices (B, N, L) int64, 0 where masked, and mask (N, L), True where a landmark is
    """
    faces = np.ascontiguousarray(landmarks, np.float32)
    if faces.ndim != 3 or faces.shape[2] != 2:
        raise ValueError(f"landmarks must be (B, P, 2), not {faces.shape}")
    if table.size and table.max() >= faces.shape[1]:
        raise ValueError(f"the table names landmark {table.max()}, a face has {faces.shape[1]}")
    indices = np.zeros((len(faces), *table.shape), np.int64)
    _unit_indices(faces, np.ascontiguousarray(table, np.int64), grid_scales(frame, grid), grid, indices)
    return indices, table >= 0


def gather_tokens(tokens: NDArray[np.float32], indices: Indices, mask: Mask) -> NDArray[np.float32]:
    """The tokens under each unit's landmarks, zeros where masked.

    tokens   (B, h * w, D)
    indices  (B, N, L) token numbers
    mask     (N, L)
    return   (B, N, L, D)

    >>> tokens = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    >>> gather_tokens(tokens, np.array([[[3, 0]]]), np.array([[True, False]])).tolist()
    [[[[6.0, 7.0], [0.0, 0.0]]]]
    """
    if indices.size and not 0 <= indices.min() <= indices.max() < tokens.shape[1]:
        raise ValueError(f"token numbers {indices.min()}..{indices.max()}, there are {tokens.shape[1]}")
    out = np.empty((*indices.shape, tokens.shape[2]), np.float32)
    _gather(np.ascontiguousarray(tokens, np.float32), indices, mask, out)
    return out


def grid_scales(frame: tuple[float, float], grid: tuple[int, int]) -> tuple[np.float32, np.float32]:
    """Tokens per pixel down and across."""
    return np.float32(grid[0] / frame[0]), np.float32(grid[1] / frame[1])


def token_of(x, y, per_row, per_column, h, w):  # type: ignore[no-untyped-def]
    """Equation 1 for one landmark; the CUDA kernel compiles the same lines."""
    row = min(max(np.int64(math.floor(y * per_row)), 0), h - 1)
    column = min(max(np.int64(math.floor(x * per_column)), 0), w - 1)
    return row * w + column


_token_of = njit(inline="always")(token_of)


@njit(cache=True, nogil=True)
def _indices(points, scales, grid, out):  # type: ignore[no-untyped-def]
    for i in range(len(points)):
        out[i] = _token_of(points[i, 0], points[i, 1], scales[0], scales[1], grid[0], grid[1])


@njit(cache=True, nogil=True)
def _unit_indices(faces, table, scales, grid, out):  # type: ignore[no-untyped-def]
    for b in range(len(faces)):
        for n in range(table.shape[0]):
            for j in range(table.shape[1]):
                if table[n, j] >= 0:
                    x, y = faces[b, table[n, j]]
                    out[b, n, j] = _token_of(x, y, scales[0], scales[1], grid[0], grid[1])


@njit(cache=True, nogil=True)
def _gather(tokens, indices, mask, out):  # type: ignore[no-untyped-def]
    for b in range(indices.shape[0]):
        for n in range(indices.shape[1]):
            for j in range(indices.shape[2]):
                if mask[n, j]:
                    out[b, n, j] = tokens[b, indices[b, n, j]]
                else:
                    out[b, n, j] = 0
