"""The loops of TV-L1 on one level of the pyramid, compiled by Numba for the CPU's vector unit.

Memory: one row of the state holds all fields of that row side by side, each `pitch` floats long.
The pitch is a constant of the compiled code: so the compiler can prove that the fields do not
overlap and makes SIMD of the loops, and a row (14 kB) stays in the first-level cache. Columns 1..w
and rows 1..h are the picture; the ring around it holds the boundary conditions: zero for the dual
variables, the border repeated for everything else.
"""
# mypy: allow-untyped-defs

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import tvl1_formulas as formulas

Plane = NDArray[np.float32]

REVISION = 2
"""Of `tvl1_formulas`, raised with every change there: Numba keeps what it compiled and looks for changes
in this file alone, and samples of flow are kept by it (`training/make_samples.py`). 2: `known` is no step.
"""
U, V, UBAR, VBAR, PUX, PUY, PVX, PVY, GX, GY, REST, INVERSE, SUM = range(13)
"""Fields: flow, flow extrapolated, dual variables of u and of v, data term, onset + warped apex."""
FIELDS = 13

FAST = {"fastmath": True, "error_model": "numpy"}
_part = njit(forceinline=True, **FAST)
_inline = njit(inline="always")
_cubic_weights = _inline(formulas.cubic_weights)
_known = _inline(formulas.known)
_data_term = _inline(formulas.data_term)
_dual_step = _inline(formulas.dual_step)
_primal_step = _inline(formulas.primal_step)


def state_buffer(height: int, width: int) -> Plane:
    """Zeros (height + 2, FIELDS * pitch)."""
    return np.zeros((height + 2, FIELDS * _pitch(width)), np.float32)


def _pitch(width: int) -> int:
    """Floats from one field to the next: a power of two, so that few variants are compiled."""
    return max(256, 1 << (width + 1).bit_length())


def solve_level(
    state: Plane, onset: Plane, apex: Plane, flow: Plane, counts: tuple[int, int], weights: Plane
) -> None:
    """Improve the flow of one level.

    state        buffer of at least this level's size
    onset, apex  (h, w) normalised pictures
    flow         (2, h, w), read and written
    counts       warps, iterations per warp
    weights      floor, sigma, shrink, tau, reach of `tvl1_formulas`
    """
    _level(state.shape[1] // FIELDS)(state, onset, apex, flow, counts[0], counts[1], *weights)


@lru_cache
def _level(pitch: int) -> Any:
    """The loops with the pitch as a constant."""

    @njit(nogil=True, cache=True, **FAST)
    def level(state, onset, apex, flow, warps, iterations, floor, sigma, shrink, tau, reach):
        h, w = onset.shape
        _start(state, flow, h, w, pitch)
        for _ in range(warps):
            _warp(state, onset, apex, h, w, pitch)
            _linearise(state, h, w, pitch, floor)
            for _ in range(iterations):
                for y in range(1, h + 1):
                    _iterate_row(state, y, w, pitch, sigma, shrink, tau, reach)
                _repeat_row(state, h + 1, h, UBAR * pitch, PUX * pitch)
        for y in range(h):
            for x in range(w):
                flow[0, y, x] = state[y + 1, U * pitch + x + 1]
                flow[1, y, x] = state[y + 1, V * pitch + x + 1]

    return level


@_part
def _start(state, flow, h, w, pitch):
    """Flow and its extrapolation from the given flow; dual variables zero, ring included."""
    for y in range(h + 2):
        row = state[y]
        for i in range(FIELDS * pitch):
            row[i] = formulas.ZERO
    for y in range(h):
        row = state[y + 1]
        for x in range(w):
            row[U * pitch + x + 1] = row[UBAR * pitch + x + 1] = flow[0, y, x]
            row[V * pitch + x + 1] = row[VBAR * pitch + x + 1] = flow[1, y, x]
        row[UBAR * pitch + w + 1] = row[UBAR * pitch + w]
        row[VBAR * pitch + w + 1] = row[VBAR * pitch + w]
    _repeat_row(state, h + 1, h, UBAR * pitch, PUX * pitch)


@_part
def _repeat_row(state, to, of, first, last):
    for i in range(first, last):
        state[to, i] = state[of, i]


@_part
def _warp(state, onset, apex, h, w, pitch):
    """Apex brightness where the flow points (Catmull-Rom): its sum and difference with the onset's."""
    right, bottom = np.float32(w - 1), np.float32(h - 1)
    for y in range(h):
        row = state[y + 1]
        for x in range(w):
            to_x = np.float32(x) + row[U * pitch + x + 1]
            to_y = np.float32(y) + row[V * pitch + x + 1]
            fx = min(max(to_x, formulas.ZERO), right)
            fy = min(max(to_y, formulas.ZERO), bottom)
            ix, iy = int(fx), int(fy)
            a, b, c, d = _cubic_weights(fx - np.float32(ix))
            x0, x2, x3 = max(ix - 1, 0), min(ix + 1, w - 1), min(ix + 2, w - 1)
            down = _cubic_weights(fy - np.float32(iy))
            warped = formulas.ZERO
            for j in range(4):
                line = apex[min(max(iy - 1 + j, 0), h - 1)]
                warped += down[j] * (a * line[x0] + b * line[ix] + c * line[x2] + d * line[x3])
            row[SUM * pitch + x + 1] = warped + onset[y, x]
            row[REST * pitch + x + 1] = warped - onset[y, x]
            row[INVERSE * pitch + x + 1] = _known(to_x, to_y, fx, fy)
        row[SUM * pitch] = row[SUM * pitch + 1]
        row[SUM * pitch + w + 1] = row[SUM * pitch + w]
    _repeat_row(state, 0, 1, SUM * pitch, FIELDS * pitch)
    _repeat_row(state, h + 1, h, SUM * pitch, FIELDS * pitch)


@_part
def _linearise(state, h, w, pitch, floor):
    """The data term at the flow so far, from what `_warp` left in SUM, REST and INVERSE."""
    for y in range(1, h + 1):
        row, above, below = state[y], state[y - 1], state[y + 1]
        for x in range(1, w + 1):
            gx, gy, rest, inverse = _data_term(
                row[SUM * pitch + x - 1], row[SUM * pitch + x + 1],
                above[SUM * pitch + x], below[SUM * pitch + x],
                row[REST * pitch + x], row[U * pitch + x], row[V * pitch + x],
                row[INVERSE * pitch + x], floor,
            )  # fmt: skip
            row[GX * pitch + x], row[GY * pitch + x] = gx, gy
            row[REST * pitch + x], row[INVERSE * pitch + x] = rest, inverse


@_part
def _iterate_row(state, y, w, pitch, sigma, shrink, tau, reach):
    """One iteration of row y in place: its dual needs the old row below, its primal the new one above."""
    row, above, below = state[y], state[y - 1], state[y + 1]
    for x in range(1, w + 1):
        u, v = row[UBAR * pitch + x], row[VBAR * pitch + x]
        row[PUX * pitch + x], row[PUY * pitch + x] = _dual_step(
            row[PUX * pitch + x], row[PUY * pitch + x],
            row[UBAR * pitch + x + 1] - u, below[UBAR * pitch + x] - u, sigma, shrink,
        )  # fmt: skip
        row[PVX * pitch + x], row[PVY * pitch + x] = _dual_step(
            row[PVX * pitch + x], row[PVY * pitch + x],
            row[VBAR * pitch + x + 1] - v, below[VBAR * pitch + x] - v, sigma, shrink,
        )  # fmt: skip
    for x in range(1, w + 1):
        u, v = row[U * pitch + x], row[V * pitch + x]
        along_u = row[PUX * pitch + x] - row[PUX * pitch + x - 1]
        along_v = row[PVX * pitch + x] - row[PVX * pitch + x - 1]
        new_u, new_v = _primal_step(
            u + tau * (along_u + row[PUY * pitch + x] - above[PUY * pitch + x]),
            v + tau * (along_v + row[PVY * pitch + x] - above[PVY * pitch + x]),
            row[GX * pitch + x], row[GY * pitch + x],
            row[REST * pitch + x], row[INVERSE * pitch + x], reach,
        )  # fmt: skip
        row[U * pitch + x], row[V * pitch + x] = new_u, new_v
        row[UBAR * pitch + x], row[VBAR * pitch + x] = new_u + new_u - u, new_v + new_v - v
    row[UBAR * pitch + w + 1] = row[UBAR * pitch + w]
    row[VBAR * pitch + w + 1] = row[VBAR * pitch + w]
