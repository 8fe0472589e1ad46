"""The loops of TV-L1, compiled by Numba for the CPU's vector unit.

Memory: one row of the state holds all twelve fields of that row side by side, each `pitch` floats
long. The pitch is a constant of the compiled code, so the compiler can prove that the fields do not
overlap, and turns the loops into SIMD; a row (12 kB) stays in the first-level cache. Columns 1..w and
rows 1..h are the picture; the ring around it holds the boundary conditions.
"""
# mypy: allow-untyped-defs

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import tvl1_formulas as formulas

if TYPE_CHECKING:
    from .tvl1 import Tvl1

Plane = NDArray[np.float32]

UBAR, VBAR, U, V, PUX, PUY, PVX, PVY, GX, GY, REST, INVERSE = range(12)
"""Fields of the state: extrapolated flow, flow, dual variables of u and v, linearised data."""
FIELDS = 12
STEP = np.float32(8**-0.5)
"""Primal and dual step: their product times the gradient's squared norm 8 must not exceed one [2]."""
FLAT = np.float32(1e-3)
"""Squared gradient below which a pixel says nothing about motion."""

_jit = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
_inline = njit(inline="always")
_dual_step = _inline(formulas.dual_step)
_primal_step = _inline(formulas.primal_step)
_cubic_weights = _inline(formulas.cubic_weights)


def state_buffer(height: int, width: int) -> Plane:
    """Zeros (height + 2, FIELDS * pitch)."""
    return np.zeros((height + 2, FIELDS * pitch_of(width)), np.float32)


def pitch_of(width: int) -> int:
    """Floats from one field to the next: a power of two, so that few variants are compiled."""
    return max(256, 1 << (width + 1).bit_length())


def pyramid_buffers(sizes: list[tuple[int, int]]) -> list[Plane]:
    """One plane per level."""
    return [np.zeros(size, np.float32) for size in sizes]


def build_pyramid(image: Plane, levels: list[Plane], radius: int) -> None:
    """Fill the levels, finest first, and take the local mean out of each."""
    for level in levels:
        if level.shape != image.shape:
            image = _halve(image)
        level[:] = image
        if radius:
            level -= _box(_box(image, radius), radius)


@_jit
def _halve(image):
    """Every second pixel after the binomial filter 1 4 6 4 1, borders repeated."""
    h, w = image.shape
    rows = np.empty(((h + 1) // 2, w), np.float32)
    for y in range(rows.shape[0]):
        a, b, c = max(2 * y - 2, 0), max(2 * y - 1, 0), 2 * y
        d, e = min(2 * y + 1, h - 1), min(2 * y + 2, h - 1)
        for x in range(w):
            outer, inner = image[a, x] + image[e, x], image[b, x] + image[d, x]
            rows[y, x] = (outer + np.float32(4) * inner + np.float32(6) * image[c, x]) / np.float32(16)
    half = np.empty((rows.shape[0], (w + 1) // 2), np.float32)
    for y in range(half.shape[0]):
        row = rows[y]
        for x in range(half.shape[1]):
            outer = row[max(2 * x - 2, 0)] + row[min(2 * x + 2, w - 1)]
            inner = row[max(2 * x - 1, 0)] + row[min(2 * x + 1, w - 1)]
            half[y, x] = (outer + np.float32(4) * inner + np.float32(6) * row[2 * x]) / np.float32(16)
    return half


@_jit
def _box(image, radius):
    """Mean over a box of 2 * radius + 1 pixels, borders repeated."""
    h, w = image.shape
    share = np.float32(1) / np.float32(2 * radius + 1)
    out = np.empty((h, w), np.float32)
    column = np.zeros(w, np.float32)
    for y in range(-radius, radius + 1):
        column += image[min(max(y, 0), h - 1)]
    for y in range(h):
        total = np.float32(0)
        for x in range(-radius, radius + 1):
            total += column[min(max(x, 0), w - 1)]
        for x in range(w):
            out[y, x] = total * share * share
            total += column[min(x + radius + 1, w - 1)] - column[max(x - radius, 0)]
        column += image[min(y + radius + 1, h - 1)] - image[max(y - radius, 0)]
    return out


@_jit
def upsample(coarse, fine):
    """Bilinear flow of the next finer level, (2, h, w): pixel 2 x there is pixel x here, twice as far."""
    h, w = coarse.shape[1:]
    for c in range(2):
        for y in range(fine.shape[1]):
            y0, y1 = y // 2, min((y + 1) // 2, h - 1)
            for x in range(fine.shape[2]):
                x0, x1 = x // 2, min((x + 1) // 2, w - 1)
                top = coarse[c, y0, x0] + coarse[c, y0, x1]
                fine[c, y, x] = (top + coarse[c, y1, x0] + coarse[c, y1, x1]) * np.float32(0.5)


def clear_dual(state: Plane, flow: Plane) -> None:
    """Zero everything: the dual variables, and the ring around a picture of this level's size."""
    state[: flow.shape[1] + 2] = 0


@_jit
def _warp(apex, flow, warped, inside):
    """Apex brightness where the flow points (Catmull-Rom), and whether that is in the picture."""
    h, w = apex.shape
    for y in range(h):
        for x in range(w):
            fx = np.float32(x) + flow[0, y, x]
            fy = np.float32(y) + flow[1, y, x]
            inside[y, x] = (fx >= 0) & (fx <= w - 1) & (fy >= 0) & (fy <= h - 1)
            fx = min(max(fx, np.float32(0)), np.float32(w - 1))
            fy = min(max(fy, np.float32(0)), np.float32(h - 1))
            ix, iy = int(fx), int(fy)
            a, b, c, d = _cubic_weights(fx - np.float32(ix))
            x0, x2, x3 = max(ix - 1, 0), min(ix + 1, w - 1), min(ix + 2, w - 1)
            wy = _cubic_weights(fy - np.float32(iy))
            total = np.float32(0)
            for j in range(4):
                row = apex[min(max(iy - 1 + j, 0), h - 1)]
                total += wy[j] * (a * row[x0] + b * row[ix] + c * row[x2] + d * row[x3])
            warped[y, x] = total


def linearise(state: Plane, onset: Plane, apex: Plane, flow: Plane) -> None:
    """Warp the apex picture and write the data term and the starting flow into the state."""
    warped, inside = np.empty_like(onset), np.empty(onset.shape, np.bool_)
    _warp(apex, flow, warped, inside)
    _data_term(state, onset, warped, inside, flow, state.shape[1] // FIELDS)


@_jit
def _data_term(state, onset, warped, inside, flow, pitch):
    h, w = onset.shape
    half = np.float32(0.25)
    for y in range(h):
        up, down = max(y - 1, 0), min(y + 1, h - 1)
        r = state[y + 1]
        for x in range(w):
            left, right = max(x - 1, 0), min(x + 1, w - 1)
            gx = half * (warped[y, right] - warped[y, left] + onset[y, right] - onset[y, left])
            gy = half * (warped[down, x] - warped[up, x] + onset[down, x] - onset[up, x])
            square = gx * gx + gy * gy
            u, v = flow[0, y, x], flow[1, y, x]
            known = inside[y, x] and square > FLAT
            r[GX * pitch + x + 1] = gx
            r[GY * pitch + x + 1] = gy
            r[REST * pitch + x + 1] = warped[y, x] - onset[y, x] - gx * u - gy * v
            r[INVERSE * pitch + x + 1] = np.float32(1) / square if known else np.float32(0)
            r[U * pitch + x + 1] = u
            r[V * pitch + x + 1] = v
            r[UBAR * pitch + x + 1] = u
            r[VBAR * pitch + x + 1] = v
        r[UBAR * pitch + w + 1] = r[UBAR * pitch + w]
        r[VBAR * pitch + w + 1] = r[VBAR * pitch + w]
    state[h + 1, : 2 * pitch] = state[h, : 2 * pitch]


def iterate(state: Plane, flow: Plane, params: Tvl1) -> None:
    """Run the primal-dual iterations on the state and write the flow."""
    shrink = np.float32(1 / (1 + STEP * params.huber))
    reach = np.float32(STEP * params.data_weight)
    h, w = flow.shape[1:]
    _iterations(state.shape[1] // FIELDS)(state, h, w, params.iterations, STEP, shrink, STEP, reach)
    pitch = state.shape[1] // FIELDS
    flow[0] = state[1 : h + 1, U * pitch + 1 : U * pitch + 1 + w]
    flow[1] = state[1 : h + 1, V * pitch + 1 : V * pitch + 1 + w]


@lru_cache
def _iterations(pitch: int) -> Any:
    """The iterations with the pitch as a constant."""

    @_jit
    def iterations(state, h, w, count, sigma, shrink, tau, reach):
        for _ in range(count):
            for y in range(1, h + 1):
                _row(state, y, w, pitch, sigma, shrink, tau, reach)
            state[h + 1, : 2 * pitch] = state[h, : 2 * pitch]

    return iterations


@njit(fastmath=True, error_model="numpy", forceinline=True)
def _row(state, y, w, pitch, sigma, shrink, tau, reach):
    """One iteration of row y in place: its dual needs the old row below, its primal the new row above."""
    r, below, above = state[y], state[y + 1], state[y - 1]
    for x in range(1, w + 1):
        u, v = r[UBAR * pitch + x], r[VBAR * pitch + x]
        r[PUX * pitch + x], r[PUY * pitch + x] = _dual_step(
            r[PUX * pitch + x],
            r[PUY * pitch + x],
            r[UBAR * pitch + x + 1] - u,
            below[UBAR * pitch + x] - u,
            sigma,
            shrink,
        )
        r[PVX * pitch + x], r[PVY * pitch + x] = _dual_step(
            r[PVX * pitch + x],
            r[PVY * pitch + x],
            r[VBAR * pitch + x + 1] - v,
            below[VBAR * pitch + x] - v,
            sigma,
            shrink,
        )
    for x in range(1, w + 1):
        u, v = r[U * pitch + x], r[V * pitch + x]
        div_u = r[PUX * pitch + x] - r[PUX * pitch + x - 1] + r[PUY * pitch + x] - above[PUY * pitch + x]
        div_v = r[PVX * pitch + x] - r[PVX * pitch + x - 1] + r[PVY * pitch + x] - above[PVY * pitch + x]
        new_u, new_v = _primal_step(
            u,
            v,
            div_u,
            div_v,
            r[GX * pitch + x],
            r[GY * pitch + x],
            r[REST * pitch + x],
            r[INVERSE * pitch + x],
            tau,
            reach,
        )
        r[U * pitch + x], r[V * pitch + x] = new_u, new_v
        r[UBAR * pitch + x], r[VBAR * pitch + x] = new_u + new_u - u, new_v + new_v - v
    r[UBAR * pitch + w + 1] = r[UBAR * pitch + w]
    r[VBAR * pitch + w + 1] = r[VBAR * pitch + w]
