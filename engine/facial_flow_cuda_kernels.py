"""The CUDA kernels between TV-L1 and the model: head motion out, flow image, movement of named points.

The same steps as `rigid`, `flow_image` and `explain`, for a batch of faces that lie on the device. Each
kernel has one row (or layer) of blocks per face; only the head fit needs its threads to work together.
"""
# mypy: allow-untyped-defs, disallow-any-decorated=False, disable-error-code="call-overload,operator"

from __future__ import annotations

import math

import numpy as np

from .numba_cuda import config, cuda
from .rigid import RIDGE, TOLERANCE
from .rigid import _solve as _solve_on_cpu

THREADS = 2 if config.ENABLE_CUDASIM else 128
"""Per block; few in the simulator, where each is a thread of Python."""
SIDE = 2 if config.ENABLE_CUDASIM else 16
"""Threads along each side of the blocks that go over pictures."""
SHARES = 8
"""Blocks that share the triangles of a face."""

CENTRE_X, CENTRE_Y, CENTRE_Z, OED, OUTLINE = range(5)
"""What is known of a face besides its points: middle of the eyes, distance of the outer eye corners (all
in pixels of the crop), depth of the outline in OED. One row (5,) per face."""
FACTS = 5
LOWER, RIGHT, TOTAL = 0, 21, 27
"""Where the sums of the fit begin: lower triangle of the normal matrix, right side, sum of weights."""
SUMS = 28
PATCH = 64
"""Most values of the square around a point; a square of 7 x 7 has 49."""

_kernel = cuda.jit(cache=True)
_device = cuda.jit(device=True, inline="always")
_solve = _device(_solve_on_cpu.py_func)
_RIDGE = tuple(float(weight) for weight in RIDGE)


# Head motion


@_kernel
def fit_head(flow, points, facts, prior, rounds, motion):
    """The rigid motion that most points follow, as `rigid.fit_rigid`: one block per face.

    flow    (B, S, S, 2) pixels
    points  (B, K, 3) face points at the onset in pixels, facts (B, 5)
    prior   (K,) how much each point counts
    motion  (B, 6) out: tx, ty, s, wx, wy, wz in OED and radians
    """
    partial = cuda.shared.array((SUMS, THREADS), np.float64)
    now = cuda.shared.array(6, np.float32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        for i in range(6):
            now[i] = 0
    cuda.syncthreads()
    for _ in range(rounds):
        own = cuda.local.array(SUMS, np.float64)
        for i in range(SUMS):
            own[i] = 0.0
        for k in range(t, points.shape[1], THREADS):
            _add_point(flow, points, facts, prior, b, k, now, own)
        for i in range(SUMS):
            partial[i, t] = own[i]
        cuda.syncthreads()
        for i in range(t, SUMS, THREADS):  # always in the same order: two runs agree to the bit
            total = 0.0
            for j in range(THREADS):
                total += partial[i, j]
            partial[i, 0] = total
        cuda.syncthreads()
        if t == 0:
            _step(partial, now)
        cuda.syncthreads()
    if t == 0:
        for i in range(6):
            motion[b, i] = now[i]


@_device
def _add_point(flow, points, facts, prior, b, k, now, own):
    """What one point adds to the sums of the reweighted fit."""
    last = flow.shape[1] - 1
    px, py = points[b, k, 0], points[b, k, 1]
    if prior[k] <= 0 or not (0 <= px <= last and 0 <= py <= last):
        return
    oed = facts[b, OED]
    x, y = (px - facts[b, CENTRE_X]) / oed, (py - facts[b, CENTRE_Y]) / oed
    z = (points[b, k, 2] - facts[b, CENTRE_Z]) / oed
    column, row_of = np.int64(round(px)), np.int64(round(py))
    dx, dy = flow[b, row_of, column, 0] / oed, flow[b, row_of, column, 1] / oed
    ex = dx - (now[0] + now[2] * x - now[5] * y + now[4] * z)
    ey = dy - (now[1] + now[2] * y + now[5] * x - now[3] * z)
    ratio = 1.0 + (ex * ex + ey * ey) / (TOLERANCE * TOLERANCE)
    weight = prior[k] / (ratio * ratio)
    own[TOTAL] += weight
    row = cuda.local.array(6, np.float64)
    for axis in range(2):
        row[0], row[1] = 1.0 - axis, 1.0 * axis
        row[2] = y if axis else x
        row[3] = -z if axis else 0.0
        row[4] = 0.0 if axis else z
        row[5] = x if axis else -y
        shift = dy if axis else dx
        place = LOWER
        for i in range(6):
            own[RIGHT + i] += weight * row[i] * shift
            for j in range(i + 1):
                own[place] += weight * row[i] * row[j]
                place += 1


@_device
def _step(sums, now):
    """Solve for the motion from the sums in column 0; one thread does it."""
    normal = cuda.local.array((6, 6), np.float64)
    right = cuda.local.array(6, np.float64)
    place = LOWER
    for i in range(6):
        right[i] = sums[RIGHT + i, 0]
        for j in range(i + 1):
            normal[i, j] = sums[place, 0]
            place += 1
        normal[i, i] += _RIDGE[i] * (sums[TOTAL, 0] + 1e-6)
    _solve(normal, right)
    for i in range(6):
        now[i] = np.float32(right[i])


@_kernel
def clear(owner):
    """No triangle anywhere."""
    x, y = cuda.grid(2)
    if x < owner.shape[2] and y < owner.shape[1]:
        owner[cuda.blockIdx.z, y, x] = -1


@_kernel
def cover(points, triangles, owner):
    """Which triangle of the mesh lies on each pixel; of several the last, as `rigid.paint` leaves it.

    One row of blocks per face; its threads share the triangles, of some fifty pixels each.
    """
    b, size = cuda.blockIdx.y, owner.shape[1]
    for t in range(cuda.grid(1), triangles.shape[0], cuda.gridDim.x * THREADS):
        a, d, e = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = points[b, a, 0], points[b, a, 1]
        dx, dy = points[b, d, 0], points[b, d, 1]
        ex, ey = points[b, e, 0], points[b, e, 1]
        if abs((dx - ax) * (ey - ay) - (dy - ay) * (ex - ax)) < 1e-6:
            continue
        x0 = max(0, np.int64(math.floor(min(ax, dx, ex))))
        x1 = min(size - 1, np.int64(math.ceil(max(ax, dx, ex))))
        y0 = max(0, np.int64(math.floor(min(ay, dy, ey))))
        y1 = min(size - 1, np.int64(math.ceil(max(ay, dy, ey))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u, v = _within(x, y, ax, ay, dx, dy, ex, ey)
                if u >= -1e-4 and v >= -1e-4 and u + v <= 1.0002:
                    cuda.atomic.max(owner, (b, y, x), t)


@_device
def _within(x, y, ax, ay, dx, dy, ex, ey):
    """Shares of the second and third corner in the point (x, y)."""
    area = (dx - ax) * (ey - ay) - (dy - ay) * (ex - ax)
    u = ((x - ax) * (ey - ay) - (y - ay) * (ex - ax)) / area
    v = ((dx - ax) * (y - ay) - (dy - ay) * (x - ax)) / area
    return u, v


@_device
def _depth(points, facts, triangles, owner, b, y, x):
    """Depth of a pixel of the face in OED, that of the outline where there is no face."""
    t = owner[b, y, x]
    if t < 0:
        return facts[b, OUTLINE]
    a, d, e = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    u, v = _within(
        x, y, points[b, a, 0], points[b, a, 1], points[b, d, 0], points[b, d, 1],
        points[b, e, 0], points[b, e, 1],
    )  # fmt: skip
    middle, oed = facts[b, CENTRE_Z], facts[b, OED]
    za, zd = (points[b, a, 2] - middle) / oed, (points[b, d, 2] - middle) / oed
    ze = (points[b, e, 2] - middle) / oed
    return np.float32(za + u * (zd - za) + v * (ze - za))


@_kernel
def remove_head(flow, points, facts, triangles, owner, motion):
    """Flow less the head's motion, in place: `rigid.remove_rigid`."""
    x, y = cuda.grid(2)
    b = cuda.blockIdx.z
    if x >= flow.shape[2] or y >= flow.shape[1]:
        return
    oed = facts[b, OED]
    px = (np.float32(x) - facts[b, CENTRE_X]) / oed
    py = (np.float32(y) - facts[b, CENTRE_Y]) / oed
    pz = _depth(points, facts, triangles, owner, b, y, x)
    tx, ty, s = motion[b, 0], motion[b, 1], motion[b, 2]
    wx, wy, wz = motion[b, 3], motion[b, 4], motion[b, 5]
    flow[b, y, x, 0] -= oed * (tx + s * px - wz * py + wy * pz)
    flow[b, y, x, 1] -= oed * (ty + s * py + wz * px - wx * pz)


# Flow image


@_kernel
def to_percent(flow, scale, percent):
    """Means over squares of flow pixels, times `scale`: `flow_image.percent_flow`.

    flow     (B, crop, crop, 2), percent (B, S, S, 2); crop is a multiple of S
    """
    x, y = cuda.grid(2)
    b, size = cuda.blockIdx.z, percent.shape[1]
    if x >= size or y >= size:
        return
    step = flow.shape[1] // size
    u, v = np.float32(0), np.float32(0)
    for j in range(step):
        for i in range(step):
            u += flow[b, y * step + j, x * step + i, 0]
            v += flow[b, y * step + j, x * step + i, 1]
    share = scale / np.float32(step * step)
    percent[b, y, x, 0], percent[b, y, x, 1] = u * share, v * share


@_kernel
def to_image(percent, unit, strain_unit, slope, image):
    """Motion and strain, softly limited: `flow_image.image_of`.

    slope   1 / (8 * percent OED between two pixels): of the Sobel filter
    image   (B, 3, S, S)
    """
    x, y = cuda.grid(2)
    b, size = cuda.blockIdx.z, percent.shape[1]
    if x >= size or y >= size:
        return
    u, v = percent[b, y, x, 0] / unit, percent[b, y, x, 1] / unit
    length = math.sqrt(u * u + v * v)
    gain = math.asinh(length) / max(length, np.float32(1e-12))
    image[b, 0, y, x], image[b, 1, y, x] = u * gain, v * gain
    xx, yy = _across(percent, b, y, x, 0, size) * slope, _down(percent, b, y, x, 1, size) * slope
    xy = np.float32(0.5) * slope * (_across(percent, b, y, x, 1, size) + _down(percent, b, y, x, 0, size))
    image[b, 2, y, x] = math.asinh(math.sqrt(xx * xx + yy * yy + np.float32(2) * xy * xy) / strain_unit)


@_device
def _mirror(i, n):
    """Index inside 0..n-1, the border pixel not repeated, as OpenCV's default."""
    return -i if i < 0 else (2 * n - 2 - i if i >= n else i)


@_device
def _across(percent, b, y, x, c, n):
    """Sobel's difference along x of component c."""
    left, right, above, below = _mirror(x - 1, n), _mirror(x + 1, n), _mirror(y - 1, n), _mirror(y + 1, n)
    return (
        (percent[b, above, right, c] - percent[b, above, left, c])
        + np.float32(2) * (percent[b, y, right, c] - percent[b, y, left, c])
        + (percent[b, below, right, c] - percent[b, below, left, c])
    )


@_device
def _down(percent, b, y, x, c, n):
    """Sobel's difference along y of component c."""
    left, right, above, below = _mirror(x - 1, n), _mirror(x + 1, n), _mirror(y - 1, n), _mirror(y + 1, n)
    return (
        (percent[b, below, left, c] - percent[b, above, left, c])
        + np.float32(2) * (percent[b, below, x, c] - percent[b, above, x, c])
        + (percent[b, below, right, c] - percent[b, above, right, c])
    )


# What goes into the model and into the words beside the image


@_kernel
def pick(points, numbers, landmarks):
    """The model's landmarks (B, K, 2) out of the face's points."""
    i, b = cuda.grid(1), cuda.blockIdx.y
    if i < numbers.shape[0]:
        landmarks[b, i, 0] = points[b, numbers[i], 0]
        landmarks[b, i, 1] = points[b, numbers[i], 1]


@_kernel
def measure(flow, points, numbers, radius, scale, moved):
    """Median movement around each named point, as `explain.point_shift`: one block per point and face.

    moved   (B, P, 2), flow times `scale`; 0 outside the crop
    """
    values = cuda.shared.array((2, PATCH), np.float32)
    middle = cuda.shared.array((2, 2), np.float32)
    t, p, b, size = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.y, flow.shape[1]
    column, row = _whole(points[b, numbers[p], 0], size), _whole(points[b, numbers[p], 1], size)
    x0, x1 = min(max(column - radius, 0), size), min(max(column + radius + 1, 0), size)
    y0, y1 = min(max(row - radius, 0), size), min(max(row + radius + 1, 0), size)
    wide = x1 - x0
    count = wide * (y1 - y0)
    if t < 2:
        middle[t, 0] = middle[t, 1] = 0
    for i in range(t, count, THREADS):
        for c in range(2):
            values[c, i] = flow[b, y0 + i // wide, x0 + i % wide, c]
    cuda.syncthreads()
    for i in range(t, count, THREADS):
        for c in range(2):
            rank = _rank(values, c, i, count)
            if rank == (count - 1) // 2:
                middle[c, 0] = values[c, i]
            if rank == count // 2:
                middle[c, 1] = values[c, i]
    cuda.syncthreads()
    if t < 2:
        moved[b, p, t] = np.float32(0.5) * (middle[t, 0] + middle[t, 1]) * scale


@_device
def _whole(place, size):
    """The nearest whole pixel; far outside the crop, where there is none, one that is outside."""
    return np.int64(round(min(max(place, np.float32(-size)), np.float32(2 * size))))


@_device
def _rank(values, c, i, count):
    """How many values come before this one; of equal ones the first comes first."""
    rank = 0
    for j in range(count):
        if values[c, j] < values[c, i] or (values[c, j] == values[c, i] and j < i):
            rank += 1
    return rank
