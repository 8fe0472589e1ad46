"""Pyramids for TV-L1: pictures halved and freed of their lighting, flows enlarged.

Each level is normalised by itself: less its local mean, in units of its local standard deviation,
so that neither a lamp nor a dark or low-contrast recording changes what the flow sees.
"""
# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import tvl1_formulas as formulas

Plane = NDArray[np.float32]

_jit = njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
_inline = njit(inline="always")
_binomial = _inline(formulas.binomial)
_normalised = _inline(formulas.normalised)


def level_sizes(height: int, width: int, levels: int, smallest: int) -> list[tuple[int, int]]:
    """(height, width) of each level, finest first; none has a side shorter than `smallest`."""
    sizes = [(height, width)]
    while len(sizes) < levels and min(sizes[-1]) >= 2 * smallest:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class Pyramid:
    """Normalised pictures, finest first, with the buffers that making them takes."""

    def __init__(self, sizes: list[tuple[int, int]], radius: int, contrast: float) -> None:
        self.levels = [np.empty(size, np.float32) for size in sizes]
        self._pictures = [np.empty(size, np.float32) for size in sizes]
        self._scratch = [np.empty((2, *size), np.float32) for size in sizes]
        self._radius, self._floor = radius, np.float32(contrast**2)

    def build(self, picture: NDArray[np.uint8] | Plane) -> None:
        """Fill all levels from a picture of the finest level's size."""
        if picture.shape != self.levels[0].shape:
            raise ValueError(f"pictures must be {self.levels[0].shape}, not {picture.shape}")
        self._pictures[0][:] = picture
        for i, level in enumerate(self.levels):
            if i:
                halve(self._pictures[i - 1], self._scratch[i - 1][0], self._pictures[i])
            normalise(self._pictures[i], self._radius, self._floor, self._scratch[i], level)


@_jit
def halve(picture, rows, half):
    """Every second pixel, first row and column included, after 1 4 6 4 1; borders repeated.

    rows  scratch of the picture's size
    """
    h, w = picture.shape
    for y in range(half.shape[0]):
        a, b, c = picture[max(2 * y - 2, 0)], picture[max(2 * y - 1, 0)], picture[2 * y]
        d, e = picture[min(2 * y + 1, h - 1)], picture[min(2 * y + 2, h - 1)]
        row = rows[y]
        for x in range(w):
            row[x] = _binomial(a[x], b[x], c[x], d[x], e[x])
        for x in range(half.shape[1]):
            half[y, x] = _binomial(
                row[max(2 * x - 2, 0)], row[max(2 * x - 1, 0)], row[2 * x],
                row[min(2 * x + 1, w - 1)], row[min(2 * x + 2, w - 1)],
            )  # fmt: skip


@_jit
def normalise(picture, radius, floor, scratch, out):
    """Less the local mean (a box, twice), over the local standard deviation (a box of the squares)."""
    centred, square = scratch[0], scratch[1]
    box(picture, radius, square)
    box(square, radius, centred)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            centred[y, x] = picture[y, x] - centred[y, x]
            square[y, x] = centred[y, x] * centred[y, x]
    box(square, radius, out)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            out[y, x] = _normalised(centred[y, x], out[y, x], floor)


@_jit
def box(picture, radius, out):
    """Mean of the (2 radius + 1)^2 pixels around each, borders repeated; by running sums."""
    h, w = picture.shape
    share = formulas.ONE / np.float32((2 * radius + 1) ** 2)
    columns = np.zeros(w, np.float32)
    for y in range(-radius, radius + 1):
        line = picture[min(max(y, 0), h - 1)]
        for x in range(w):
            columns[x] += line[x]
    for y in range(h):
        total = formulas.ZERO
        for x in range(-radius, radius + 1):
            total += columns[min(max(x, 0), w - 1)]
        for x in range(w):
            out[y, x] = total * share
            total += columns[min(x + radius + 1, w - 1)] - columns[max(x - radius, 0)]
        enters, leaves = picture[min(y + radius + 1, h - 1)], picture[max(y - radius, 0)]
        for x in range(w):
            columns[x] += enters[x] - leaves[x]


@_jit
def enlarge(coarse, fine):
    """Flow (2, h, w) of the next finer level, bilinear: pixel 2 x there is pixel x here, twice as far."""
    h, w = coarse.shape[1:]
    for c in range(2):
        for y in range(fine.shape[1]):
            top, bottom = coarse[c, y // 2], coarse[c, min((y + 1) // 2, h - 1)]
            for x in range(fine.shape[2]):
                left, right = x // 2, min((x + 1) // 2, w - 1)
                fine[c, y, x] = (top[left] + top[right] + bottom[left] + bottom[right]) * formulas.HALF
