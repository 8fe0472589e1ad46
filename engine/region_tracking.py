"""How far each region has moved since the reference picture, to a few hundredths of a pixel.

Inverse-compositional Lucas-Kanade (Baker and Matthews, IJCV 2004) on one disc per region, with
brightness gain and offset projected out, so that flicker and exposure do not look like motion.
All work that depends on the reference alone is done once; a frame costs a tenth of a dense flow,
and a disc of 400 pixels averages away the noise that a dense flow shows pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]

RADIUS = 10
"""Pixels of the 224 crop: 9 % of the eye distance."""
SIDE = 2 * RADIUS + 1
ITERATIONS = 6
CONVERGED = 0.003
"""Pixels; a smaller step ends the search."""
DARKEST, BRIGHTEST = 0.6, 1.6
"""Gains of the light between which a disc still counts as the same skin."""
MEAN_ABSOLUTE = 0.8
"""Mean size of a normally distributed difference over its standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The discs of the reference picture, ready to be searched for."""

    corner: NDArray[np.int32]
    """(K, 2) x, y of the top-left pixel of each disc's square."""
    steepest: Array
    """(K, 2, SIDE * SIDE) weighted image gradients, free of brightness gain and offset."""
    inverse: Array
    """(K, 2, 2) inverse of the regularised Hessian."""
    patch: Array
    """(K, SIDE * SIDE) brightness of the reference, its mean taken off."""
    mean: Array
    """(K,) that mean."""
    variance: Array
    """(K,) of the patch, squared gray levels."""
    ridge: float
    """Weight of the expectation against the picture, in the unit of the Hessian."""
    texture: Array
    """(K,) smaller eigenvalue of the Hessian per pixel: 0 for bare skin, which cannot be followed."""

    def only(self, chosen: NDArray[np.bool_]) -> Reference:
        """Some of the discs; chosen (K,)."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Reference(**{n: p if n == "ridge" else p[chosen] for n, p in parts.items()})

    def unlike(self, error: Array, discs: NDArray[np.intp]) -> float:
        """Share of the variance of some discs that is not there: 0 the same skin, about 1 another picture.

        error  (K,) as `track` gives it; discs  numbers of those to look at
        """
        gone = np.minimum((error[discs] / np.float32(MEAN_ABSOLUTE)) ** 2, 2 * self.variance[discs])
        return float(gone.sum() / max(float(self.variance[discs].sum()), 1e-6))


@njit(cache=True, fastmath=True, nogil=True)
def _prepare(image, corner, window, ridge, steepest, inverse, patch, means, variance, texture):  # type: ignore[no-untyped-def]
    n = SIDE * SIDE
    gx, gy, t = np.empty(n), np.empty(n), np.empty(n)
    for k in range(corner.shape[0]):
        x0, y0 = corner[k, 0], corner[k, 1]
        for r in range(SIDE):
            for c in range(SIDE):
                y, x, i = y0 + r, x0 + c, r * SIDE + c
                t[i] = image[y, x]
                gx[i] = 0.5 * (image[y, x + 1] - image[y, x - 1])
                gy[i] = 0.5 * (image[y + 1, x] - image[y - 1, x])
        # What a gain or an offset of the brightness could explain is taken out of the gradients
        # (weighted projection), so that neither moves the answer.
        s0 = s1 = s2 = 0.0
        for i in range(n):
            w = window[i]
            s0 += w
            s1 += w * t[i]
            s2 += w * t[i] * t[i]
        mean = s1 / s0
        var = s2 - s1 * mean + 1e-6
        mx = my = cx = cy = 0.0
        for i in range(n):
            w = window[i]
            mx += w * gx[i] / s0
            my += w * gy[i] / s0
            cx += w * gx[i] * (t[i] - mean) / var
            cy += w * gy[i] * (t[i] - mean) / var
        a = b = d = 0.0
        for i in range(n):
            px = gx[i] - mx - cx * (t[i] - mean)
            py = gy[i] - my - cy * (t[i] - mean)
            w = window[i]
            a += w * px * gx[i]
            b += w * 0.5 * (px * gy[i] + py * gx[i])
            d += w * py * gy[i]
            steepest[k, 0, i] = w * px
            steepest[k, 1, i] = w * py
        means[k] = t.mean()
        for i in range(n):
            patch[k, i] = t[i] - means[k]
        variance[k] = (patch[k] ** 2).mean()
        small = 0.5 * (a + d) - np.sqrt(0.25 * (a - d) ** 2 + b * b)
        texture[k] = max(small, 0.0) / s0
        # A prior about where the disc is expected outweighs a texture that could be noise.
        a += ridge
        d += ridge
        det = a * d - b * b
        inverse[k, 0, 0] = d / det
        inverse[k, 0, 1] = -b / det
        inverse[k, 1, 0] = -b / det
        inverse[k, 1, 1] = a / det


@njit(cache=True, fastmath=True, nogil=True)
def _search(image, corner, steepest, inverse, patch, means, variance, ridge, anchor, shift, error):  # type: ignore[no-untyped-def]
    height, width = image.shape
    n = np.float32(SIDE * SIDE)
    for k in range(corner.shape[0]):
        dx, dy, mean = shift[k, 0], shift[k, 1], means[k]
        for _ in range(ITERATIONS):
            x0, y0 = corner[k, 0] + dx, corner[k, 1] + dy
            x0 = min(max(x0, 0.0), width - SIDE - 1.001)
            y0 = min(max(y0, 0.0), height - SIDE - 1.001)
            ix, iy = int(x0), int(y0)
            fx, fy = np.float32(x0 - ix), np.float32(y0 - iy)
            w00, w01 = (1 - fx) * (1 - fy), fx * (1 - fy)
            w10, w11 = (1 - fx) * fy, fx * fy
            bx = by = np.float32(0.0)
            s1 = s2 = st = np.float32(0.0)
            for r in range(SIDE):
                above, below = image[iy + r], image[iy + r + 1]
                base = r * SIDE
                for c in range(SIDE):
                    value = (
                        w00 * above[ix + c] + w01 * above[ix + c + 1]
                        + w10 * below[ix + c] + w11 * below[ix + c + 1]
                    )  # fmt: skip
                    gap = value - mean - patch[k, base + c]
                    bx += steepest[k, 0, base + c] * gap
                    by += steepest[k, 1, base + c] * gap
                    s1 += gap
                    s2 += gap * gap
                    st += gap * patch[k, base + c]
            bx += ridge * (dx - anchor[k, 0])
            by += ridge * (dy - anchor[k, 1])
            sx = inverse[k, 0, 0] * bx + inverse[k, 0, 1] * by
            sy = inverse[k, 1, 0] * bx + inverse[k, 1, 1] * by
            length = np.sqrt(sx * sx + sy * sy)
            if length > 2.0:  # one step further than the gradient can be trusted
                sx, sy = sx * 2.0 / length, sy * 2.0 / length
            dx -= sx
            dy -= sy
            if length < CONVERGED:
                break
        shift[k, 0], shift[k, 1] = dx, dy
        # What another light explains is no difference: an offset, and a gain that a lamp could make. A disc
        # without the reference's structure (a hand before it) would be a gain of 0.
        gain = min(max(st / (n * variance[k] + np.float32(1e-6)), DARKEST - 1), BRIGHTEST - 1)
        rest = s2 / n - (s1 / n) ** 2 - gain * (2 * st / n - gain * variance[k])
        error[k] = MEAN_ABSOLUTE * np.sqrt(max(rest, np.float32(0.0)))


def _window() -> Array:
    r = np.arange(-RADIUS, RADIUS + 1, dtype=np.float32)
    square = np.exp(-(r[:, None] ** 2 + r[None, :] ** 2) / (2 * (0.5 * RADIUS) ** 2))
    return np.asarray(square, np.float32).ravel()


WINDOW = _window()


def make_reference(image: Array, centres: NDArray[np.floating], noise: float = 2.0) -> Reference:
    """Cut the discs out of the reference picture.

    image    (S, S) float32 brightness, lightly smoothed
    centres  (K, 2 or 3) x, y of the discs in pixels; kept inside the picture
    noise    gray levels, standard deviation of the picture's noise
    """
    size = image.shape[0]
    corner = np.clip(np.rint(centres[:, :2]) - RADIUS, 1, size - SIDE - 2).astype(np.int32)
    count, n = len(corner), SIDE * SIDE
    steepest, inverse = np.empty((count, 2, n), np.float32), np.empty((count, 2, 2), np.float32)
    patch = np.empty((count, n), np.float32)
    mean, variance, texture = (np.empty(count, np.float32) for _ in range(3))
    # Bayes: variance of the picture's noise over that of a disc about its expected place, (1 px)^2;
    # doubled since neighbouring pixels of an enlarged crop share their noise.
    ridge = 2.0 * noise * noise
    _prepare(image, corner, WINDOW, ridge, steepest, inverse, patch, mean, variance, texture)
    return Reference(corner, steepest, inverse, patch, mean, variance, ridge, texture)


def track(reference: Reference, image: Array, guess: Array, expected: Array) -> tuple[Array, Array]:
    """Where the discs are now.

    image     (S, S) float32, smoothed as the reference was
    guess     (K, 2) pixels, where the search begins
    expected  (K, 2) pixels, where a disc is taken to be as far as its texture does not say: the
              most probable answer given the picture's noise, not the least squares of skin without
              texture, which would drift
    return  (K, 2) shift in pixels since the reference, x right, y down;
            (K,) mean absolute brightness difference that remains, in gray levels, after the gain and
            offset of another light
    """
    shift = guess.astype(np.float32).copy()
    error = np.empty(len(shift), np.float32)
    r = reference
    parts = r.corner, r.steepest, r.inverse, r.patch, r.mean, r.variance, r.ridge
    _search(image, *parts, expected.astype(np.float32), shift, error)
    return shift, error
