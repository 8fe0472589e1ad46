"""Draw triangles with exact sub-pixel texture: the kernels of both geometries.

OpenCV's remap rounds positions to 1/32 pixel; a micro-expression at 200 frames/s moves by less than
that from frame to frame. Here positions stay floating point, and the texture is read by a Catmull-Rom
spline, which gives the source back unchanged where nothing moves.

Pixels' centres lie on whole numbers. Letters: V vertices, T triangles, H, W the canvas, C channels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

BEHIND = np.float32(1e6)
"""See-through vertices count as this much farther away, so that full skin wins over soft rims."""
EMPTY = np.float32(3e38)

U, V, ALPHA, GAIN, DEPTH = range(5)
"""Planes of the coverage buffer."""


def blank(height: int, width: int) -> F32:
    """(H, W, 5) coverage buffer with nothing in it."""
    buffer = np.zeros((height, width, 5), np.float32)
    buffer[:, :, DEPTH] = EMPTY
    return buffer


@njit(cache=True, fastmath=True, nogil=True)
def cover(buffer: F32, corners: F32, looks: F32, triangles: I32, facing: float = 0.0) -> None:
    """Write what is seen of each triangle: texture place, opacity, brightness; the nearest wins.

    buffer     (H, W, 5) as in `blank`, changed in place
    corners    (V, 3) x, y in canvas pixels, z (smaller is nearer)
    looks      (V, 4) u, v in texture pixels, opacity, brightness factor
    triangles  (T, 3)
    facing     1 or -1: only triangles wound clockwise or counter-clockwise on the canvas; 0: all
    """
    height, width = buffer.shape[0], buffer.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = corners[a, 0], corners[a, 1]
        bx, by = corners[b, 0] - ax, corners[b, 1] - ay
        cx, cy = corners[c, 0] - ax, corners[c, 1] - ay
        area = bx * cy - by * cx
        if abs(area) < 1e-12 or area * facing < 0:
            continue
        low = max(math.ceil(ay + min(0.0, by, cy) - 1e-4), 0)
        high = min(math.floor(ay + max(0.0, by, cy) + 1e-4), height - 1)
        left = max(math.ceil(ax + min(0.0, bx, cx) - 1e-4), 0)
        right = min(math.floor(ax + max(0.0, bx, cx) + 1e-4), width - 1)
        inverse = 1.0 / area
        for row in range(low, high + 1):
            y = row - ay
            for column in range(left, right + 1):
                x = column - ax
                wb = (x * cy - y * cx) * inverse
                wc = (y * bx - x * by) * inverse
                wa = 1.0 - wb - wc
                if wa < -1e-5 or wb < -1e-5 or wc < -1e-5:
                    continue
                alpha = wa * looks[a, 2] + wb * looks[b, 2] + wc * looks[c, 2]
                depth = wa * corners[a, 2] + wb * corners[b, 2] + wc * corners[c, 2]
                depth += (1.0 - alpha) * BEHIND
                if depth >= buffer[row, column, DEPTH]:
                    continue
                buffer[row, column, U] = wa * looks[a, 0] + wb * looks[b, 0] + wc * looks[c, 0]
                buffer[row, column, V] = wa * looks[a, 1] + wb * looks[b, 1] + wc * looks[c, 1]
                buffer[row, column, ALPHA] = alpha
                buffer[row, column, GAIN] = wa * looks[a, 3] + wb * looks[b, 3] + wc * looks[c, 3]
                buffer[row, column, DEPTH] = depth


@njit(cache=True, fastmath=True, nogil=True)
def _spline(t: float, weights: F32) -> None:
    """Catmull-Rom weights of the four neighbours at the fraction t."""
    weights[0] = ((2.0 - t) * t - 1.0) * t * 0.5
    weights[1] = ((3.0 * t - 5.0) * t * t + 2.0) * 0.5
    weights[2] = ((4.0 - 3.0 * t) * t + 1.0) * t * 0.5
    weights[3] = (t - 1.0) * t * t * 0.5


@njit(cache=True, fastmath=True, nogil=True)
def fill(image: F32, buffer: F32, texture: F32) -> None:
    """Put the texture where the buffer says, over what is there.

    image       (H, W, C) changed in place
    buffer      (H, W, 5)
    texture     (h, w, C), its border repeated
    """
    height, width, channels = image.shape
    th, tw = texture.shape[0], texture.shape[1]
    wx, wy = np.empty(4, np.float32), np.empty(4, np.float32)
    for row in range(height):
        for column in range(width):
            if buffer[row, column, DEPTH] >= EMPTY:
                continue
            u, v = buffer[row, column, U], buffer[row, column, V]
            x0, y0 = math.floor(u), math.floor(v)
            _spline(u - x0, wx)
            _spline(v - y0, wy)
            alpha, gain = buffer[row, column, ALPHA], buffer[row, column, GAIN]
            for channel in range(channels):
                total = 0.0
                for j in range(4):
                    y = min(max(y0 - 1 + j, 0), th - 1)
                    line = 0.0
                    for i in range(4):
                        x = min(max(x0 - 1 + i, 0), tw - 1)
                        line += wx[i] * texture[y, x, channel]
                    total += wy[j] * line
                old = image[row, column, channel]
                image[row, column, channel] = old + alpha * (gain * total - old)


@njit(cache=True, fastmath=True, nogil=True)
def fill_twice(image: F32, buffer: F32, texture: F32) -> None:
    """As `fill`, from a buffer of twice the size: four samples a pixel, each read bilinearly.

    image    (H, W, C) changed in place
    buffer   (2H, 2W, 5); its pixel (2r, 2c) is the top-left quarter of the canvas pixel (r, c)
    texture  (h, w, C)
    """
    height, width, channels = image.shape
    th, tw = texture.shape[0], texture.shape[1]
    total = np.empty(channels, np.float32)
    for row in range(height):
        for column in range(width):
            old = image[row, column]
            total[:] = 0.0
            empty = 0
            for quarter in range(4):
                r, c = 2 * row + quarter // 2, 2 * column + quarter % 2
                if buffer[r, c, DEPTH] >= EMPTY:
                    empty += 1
                    continue
                u, v = buffer[r, c, U], buffer[r, c, V]
                x = min(max(int(u), 0), tw - 2)
                y = min(max(int(v), 0), th - 2)
                fx, fy, gain = u - x, v - y, buffer[r, c, GAIN] * 0.25
                for k in range(channels):
                    top = texture[y, x, k] + fx * (texture[y, x + 1, k] - texture[y, x, k])
                    low = texture[y + 1, x, k] + fx * (texture[y + 1, x + 1, k] - texture[y + 1, x, k])
                    total[k] += gain * (top + fy * (low - top))
            if empty < 4:
                for k in range(channels):
                    image[row, column, k] = total[k] + old[k] * (0.25 * empty)


@njit(cache=True, fastmath=True, nogil=True)
def lit(corners: F32, triangles: I32, light: F32, ambient: float) -> F32:
    """(V,) Lambert brightness of each vertex under one distant light and an ambient share.

    corners  (V, 3), triangles (T, 3), light (3,) unit vector towards the light
    """
    normals = np.zeros((corners.shape[0], 3), np.float32)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        px, py, pz = (
            corners[b, 0] - corners[a, 0],
            corners[b, 1] - corners[a, 1],
            corners[b, 2] - corners[a, 2],
        )
        qx, qy, qz = (
            corners[c, 0] - corners[a, 0],
            corners[c, 1] - corners[a, 1],
            corners[c, 2] - corners[a, 2],
        )
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    bright = np.empty(corners.shape[0], np.float32)
    for i in range(corners.shape[0]):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        length = math.sqrt(x * x + y * y + z * z) + 1e-12
        cosine = (x * light[0] + y * light[1] + z * light[2]) / length
        if z > 0:  # every normal looks at the camera, whichever way the triangle is wound
            cosine = -cosine
        bright[i] = ambient + (1.0 - ambient) * max(cosine, 0.0)
    return bright


@njit(cache=True, fastmath=True, nogil=True)
def gather(starts: I32, parents: I32, shares: F32, values: F32) -> F32:
    """(R, n) sparse product: row r is the sum over k of shares[k] * values[parents[k]]."""
    rows = np.zeros((starts.shape[0] - 1, values.shape[1]), np.float32)
    for r in range(rows.shape[0]):
        for k in range(starts[r], starts[r + 1]):
            for c in range(values.shape[1]):
                rows[r, c] += shares[k] * values[parents[k], c]
    return rows


@njit(cache=True, fastmath=True, nogil=True)
def grain(light: F32, noise: F32, gain: float, depth: float, pixels: NDArray[np.uint8]) -> None:
    """Bytes of a picture with a sensor's noise, which grows with the root of the light.

    light   (H, W, C) 0..255
    noise   (H, W) unit normal, the same in every channel: colour is interpolated between sensor pixels
    gain    factor on the light
    depth   standard deviation of the noise at mid-gray, gray levels
    pixels  (H, W, C) is written
    """
    height, width, channels = light.shape
    for row in range(height):
        for column in range(width):
            level = 0.0
            for k in range(channels):
                level += light[row, column, k]
            level = max(level * gain / channels, 0.0)
            # Photon noise has a variance in proportion to the light, above a floor of read noise.
            add = depth * math.sqrt(0.35 + 0.65 * level / 128.0) * noise[row, column] + 0.5
            for k in range(channels):
                value = light[row, column, k] * gain + add
                pixels[row, column, k] = np.uint8(min(max(value, 0.0), 255.0))
