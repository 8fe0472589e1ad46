"""The CUDA kernels of TV-L1: `tvl1_formulas`, one thread per pixel, one layer of the grid per pair.

The iterations run on tiles in shared memory. A launch of n iterations loads its tile with a margin of
n pixels: each iteration spoils one more pixel from the rim, and after n of them the inside is still
what a whole picture would have given; only the inside is written. So n iterations cost one launch
and one trip to global memory, and a level that fits into a single tile needs no margin at all.
All state of a pixel lives in registers; shared memory carries only what neighbours need.
"""
# mypy: allow-untyped-defs, disallow-any-decorated=False

from __future__ import annotations

import math

import numpy as np

from . import tvl1_formulas as formulas
from .numba_cuda import config, cuda

TILE = 8 if config.ENABLE_CUDASIM else 32
"""Threads along each side of a block; few in the simulator, where each is a thread of Python."""

UBAR, VBAR, PUX, PUY, PVX, PVY, U, V = range(8)
"""State of a level (8, B, h, w): extrapolated flow, dual variables of u and of v, flow."""
SHARED_FIELDS = 6
"""What neighbours need, the first of the state."""
STATE_FIELDS = 8
GX, GY, REST, INVERSE = range(4)
"""Data term of a level (4, B, h, w)."""
DATA_FIELDS = 4
FLOOR, SIGMA, SHRINK, TAU, REACH = range(5)
"""Order of the constants."""

ZERO = formulas.ZERO

_device = cuda.jit(device=True, inline="always")
# A block of 1024 threads has 64 registers for each; Turing's compiler would take more, and not start.
_limit = {} if config.ENABLE_CUDASIM else {"max_registers": 64}
_kernel = cuda.jit(fastmath=True, cache=True, **_limit)
_binomial = _device(formulas.binomial)
_normalised = _device(formulas.normalised)
_cubic_weights = _device(formulas.cubic_weights)
_known = _device(formulas.known)
_data_term = _device(formulas.data_term)
_dual_step = _device(formulas.dual_step)
_primal_step = _device(formulas.primal_step)


@_device
def _clamp(i, n):
    """The nearest index inside 0..n-1."""
    return min(max(i, 0), n - 1)


@_device
def _pixel(margin):
    """Column, row and pair of this thread; tiles overlap by twice the margin."""
    step = TILE - 2 * margin
    x = cuda.blockIdx.x * step + cuda.threadIdx.x - margin
    y = cuda.blockIdx.y * step + cuda.threadIdx.y - margin
    return x, y, cuda.blockIdx.z


@_device
def _writes(x, y, margin, w, h):
    """Is this thread's pixel in the picture and inside its tile?"""
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    inside = margin <= tx < TILE - margin and margin <= ty < TILE - margin
    return inside and 0 <= x < w and 0 <= y < h


# Pyramid


@_kernel
def load(source, pictures, first):
    """Pictures of any number type (B, h, w) as float32 into pictures[first:]."""
    x, y, b = _pixel(0)
    if x < source.shape[2] and y < source.shape[1]:
        pictures[first + b, y, x] = np.float32(source[b, y, x])


@_kernel
def halve(picture, half):
    """Every second pixel after 1 4 6 4 1 both ways, borders repeated."""
    x, y, b = _pixel(0)
    h, w = picture.shape[1], picture.shape[2]
    if x < half.shape[2] and y < half.shape[1]:
        x0, x1, x2 = _clamp(2 * x - 2, w), _clamp(2 * x - 1, w), 2 * x
        x3, x4 = _clamp(2 * x + 1, w), _clamp(2 * x + 2, w)
        a = _column(picture, b, y, x0, h)
        c = _column(picture, b, y, x1, h)
        d = _column(picture, b, y, x2, h)
        e = _column(picture, b, y, x3, h)
        f = _column(picture, b, y, x4, h)
        half[b, y, x] = _binomial(a, c, d, e, f)


@_device
def _column(picture, b, y, x, h):
    return _binomial(
        picture[b, _clamp(2 * y - 2, h), x],
        picture[b, _clamp(2 * y - 1, h), x],
        picture[b, 2 * y, x],
        picture[b, _clamp(2 * y + 1, h), x],
        picture[b, _clamp(2 * y + 2, h), x],
    )


@_device
def _box(value, radius):
    """Mean of the block's values around this thread; right for threads `radius` inside the tile."""
    shared = cuda.shared.array((2, TILE, TILE), np.float32)
    total = _window(shared, _window(shared, value, radius, 1, 0), radius, 0, 1)
    return total / np.float32((2 * radius + 1) * (2 * radius + 1))


@_device
def _window(shared, value, radius, across, down):
    """Sum over 2 radius + 1 places of this thread's row (across 1) or column (down 1).

    By doubling: sums of 1, 2, 4, ... places, of which those are added whose lengths make up the window:
    half the loads of place after place. Two arrays in turn, so that one barrier a length will do.
    """
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    total, place, length, turn = ZERO, -radius, 1, 0
    while length <= 2 * radius + 1:
        shared[turn, ty, tx] = value
        cuda.syncthreads()
        if (2 * radius + 1) & length:
            total += shared[turn, _clamp(ty + down * place, TILE), _clamp(tx + across * place, TILE)]
            place += length
        value += shared[turn, _clamp(ty + down * length, TILE), _clamp(tx + across * length, TILE)]
        length, turn = 2 * length, 1 - turn
    cuda.syncthreads()  # the next one writes where this one may still be read
    return total


@_kernel
def blur(picture, radius, out):
    """Local mean."""
    x, y, b = _pixel(radius)
    h, w = picture.shape[1], picture.shape[2]
    mean = _box(picture[b, _clamp(y, h), _clamp(x, w)], radius)
    if _writes(x, y, radius, w, h):
        out[b, y, x] = mean


@_kernel
def centre(picture, blurred, radius, out):
    """Picture less the local mean, blurred once more."""
    x, y, b = _pixel(radius)
    h, w = picture.shape[1], picture.shape[2]
    mean = _box(blurred[b, _clamp(y, h), _clamp(x, w)], radius)
    if _writes(x, y, radius, w, h):
        out[b, y, x] = picture[b, y, x] - mean


@_kernel
def normalise(centred, radius, floor, out):
    """In local standard deviations."""
    x, y, b = _pixel(radius)
    h, w = centred.shape[1], centred.shape[2]
    value = centred[b, _clamp(y, h), _clamp(x, w)]
    variance = _box(value * value, radius)
    if _writes(x, y, radius, w, h):
        out[b, y, x] = _normalised(value, variance, floor)


# Flow


@_kernel
def begin(coarse, coarsest, state):
    """Flow of a level from the next coarser one's, bilinear, or zero; dual variables zero."""
    x, y, b = _pixel(0)
    if x < state.shape[3] and y < state.shape[2]:
        u = ZERO if coarsest else _enlarged(coarse, U, b, y, x)
        v = ZERO if coarsest else _enlarged(coarse, V, b, y, x)
        state[U, b, y, x] = state[UBAR, b, y, x] = u
        state[V, b, y, x] = state[VBAR, b, y, x] = v
        for field in range(PUX, U):
            state[field, b, y, x] = ZERO


@_device
def _enlarged(coarse, field, b, y, x):
    top, left = y // 2, x // 2
    bottom, right = min((y + 1) // 2, coarse.shape[2] - 1), min((x + 1) // 2, coarse.shape[3] - 1)
    upper = coarse[field, b, top, left] + coarse[field, b, top, right]
    lower = coarse[field, b, bottom, left] + coarse[field, b, bottom, right]
    return (upper + lower) * formulas.HALF


@_kernel
def warp(pictures, source, data, target, count, margin, constants):
    """Linearise the brightness at the flow of `source`, then iterate into `target`.

    pictures  (2 B, h, w) normalised, the apexes after the onsets; data is written too
    """
    x, y, b = _pixel(margin)
    h, w = pictures.shape[1], pictures.shape[2]
    state = _load_state(source, b, y, x)
    total, change, inside = _warped(pictures, b, y, x, state[U], state[V])
    left, right, up, down = _beside(total, x, y, w, h)
    term = _data_term(left, right, up, down, change, state[U], state[V], inside, constants[FLOOR])
    state = _relax(state, term, x, y, w, h, count, constants)
    if _writes(x, y, margin, w, h):
        _store_state(target, b, y, x, state)
        data[GX, b, y, x], data[GY, b, y, x] = term[GX], term[GY]
        data[REST, b, y, x], data[INVERSE, b, y, x] = term[REST], term[INVERSE]


@_kernel
def iterate(source, data, target, count, margin, constants):
    """More iterations from `source` into `target`."""
    x, y, b = _pixel(margin)
    h, w = source.shape[2], source.shape[3]
    state = _load_state(source, b, y, x)
    term = (ZERO, ZERO, ZERO, ZERO)
    if 0 <= x < w and 0 <= y < h:
        term = (data[GX, b, y, x], data[GY, b, y, x], data[REST, b, y, x], data[INVERSE, b, y, x])
    state = _relax(state, term, x, y, w, h, count, constants)
    if _writes(x, y, margin, w, h):
        _store_state(target, b, y, x, state)


@_kernel
def export(state, flows):
    """(B, h, w, 2) out of the state."""
    x, y, b = _pixel(0)
    if x < flows.shape[2] and y < flows.shape[1]:
        flows[b, y, x, 0] = state[U, b, y, x]
        flows[b, y, x, 1] = state[V, b, y, x]


@_device
def _load_state(source, b, y, x):
    if 0 <= x < source.shape[3] and 0 <= y < source.shape[2]:
        return (
            source[UBAR, b, y, x], source[VBAR, b, y, x], source[PUX, b, y, x], source[PUY, b, y, x],
            source[PVX, b, y, x], source[PVY, b, y, x], source[U, b, y, x], source[V, b, y, x],
        )  # fmt: skip
    return (ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


@_device
def _store_state(target, b, y, x, state):
    target[U, b, y, x], target[V, b, y, x] = state[U], state[V]
    target[UBAR, b, y, x], target[VBAR, b, y, x] = state[UBAR], state[VBAR]
    target[PUX, b, y, x], target[PUY, b, y, x] = state[PUX], state[PUY]
    target[PVX, b, y, x], target[PVY, b, y, x] = state[PVX], state[PVY]


@_device
def _warped(pictures, b, y, x, u, v):
    """Onset plus and less the apex where the flow points (Catmull-Rom), and 1 if that is in the picture."""
    h, w = pictures.shape[1], pictures.shape[2]
    apex = b + pictures.shape[0] // 2
    onset = pictures[b, _clamp(y, h), _clamp(x, w)]
    to_x, to_y = np.float32(x) + u, np.float32(y) + v
    fx = min(max(to_x, ZERO), np.float32(w - 1))
    fy = min(max(to_y, ZERO), np.float32(h - 1))
    ix, iy = np.int32(math.floor(fx)), np.int32(math.floor(fy))
    along = _cubic_weights(fx - np.float32(ix))
    down = _cubic_weights(fy - np.float32(iy))
    x0, x2, x3 = _clamp(ix - 1, w), _clamp(ix + 1, w), _clamp(ix + 2, w)
    warped = ZERO
    for j in range(4):
        row = _clamp(iy - 1 + j, h)
        warped += down[j] * (
            along[0] * pictures[apex, row, x0]
            + along[1] * pictures[apex, row, ix]
            + along[2] * pictures[apex, row, x2]
            + along[3] * pictures[apex, row, x3]
        )
    return warped + onset, warped - onset, _known(to_x, to_y, fx, fy)


@_device
def _beside(value, x, y, w, h):
    """The values of the left, right, upper and lower pixel; at the picture's border its own."""
    values = cuda.shared.array((TILE, TILE), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    values[ty, tx] = value
    cuda.syncthreads()
    left = values[ty, tx - 1] if x > 0 and tx > 0 else value
    right = values[ty, tx + 1] if x < w - 1 and tx < TILE - 1 else value
    up = values[ty - 1, tx] if y > 0 and ty > 0 else value
    down = values[ty + 1, tx] if y < h - 1 and ty < TILE - 1 else value
    return left, right, up, down


@_device
def _relax(state, term, x, y, w, h, count, constants):
    """Primal-dual iterations of one pixel, in step with its block."""
    shared = cuda.shared.array((SHARED_FIELDS, TILE, TILE), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    right = tx + 1 if x < w - 1 and tx < TILE - 1 else tx
    below = ty + 1 if y < h - 1 and ty < TILE - 1 else ty
    has_left, has_above = x > 0 and tx > 0, y > 0 and ty > 0
    sigma, shrink = constants[SIGMA], constants[SHRINK]
    tau, reach = constants[TAU], constants[REACH]
    gx, gy, rest, inverse = term
    ubar, vbar, pux, puy, pvx, pvy, u, v = state
    for _ in range(count):
        shared[UBAR, ty, tx], shared[VBAR, ty, tx] = ubar, vbar
        cuda.syncthreads()
        across, down = shared[UBAR, ty, right] - ubar, shared[UBAR, below, tx] - ubar
        pux, puy = _dual_step(pux, puy, across, down, sigma, shrink)
        across, down = shared[VBAR, ty, right] - vbar, shared[VBAR, below, tx] - vbar
        pvx, pvy = _dual_step(pvx, pvy, across, down, sigma, shrink)
        shared[PUX, ty, tx], shared[PUY, ty, tx] = pux, puy
        shared[PVX, ty, tx], shared[PVY, ty, tx] = pvx, pvy
        cuda.syncthreads()
        div_u, div_v = pux + puy, pvx + pvy
        if has_left:
            div_u -= shared[PUX, ty, tx - 1]
            div_v -= shared[PVX, ty, tx - 1]
        if has_above:
            div_u -= shared[PUY, ty - 1, tx]
            div_v -= shared[PVY, ty - 1, tx]
        new_u, new_v = _primal_step(u + tau * div_u, v + tau * div_v, gx, gy, rest, inverse, reach)
        ubar, vbar = new_u + new_u - u, new_v + new_v - v
        u, v = new_u, new_v
    return ubar, vbar, pux, puy, pvx, pvy, u, v
