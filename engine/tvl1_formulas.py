"""The arithmetic of TV-L1, one pixel at a time: the same lines are compiled for the CPU and for CUDA.

Plain Python on float32 scalars, without arrays, so that both compilers and the simulator take them
and the results agree. After a change here raise `tvl1_cpu.REVISION` and delete `engine/__pycache__`:
Numba keeps what it compiled, and looks for changes in the file of the loops alone. References:

[1] C. Zach, T. Pock, H. Bischof, "A Duality Based Approach for Realtime TV-L1 Optical Flow", 2007.
[2] A. Chambolle, T. Pock, "A First-Order Primal-Dual Algorithm for Convex Problems", 2011, sec. 6.
[3] M. Werlberger et al., "Anisotropic Huber-L1 Optical Flow", 2009.
[4] J. Sanchez Perez, E. Meinhardt-Llopis, G. Facciolo, "TV-L1 Optical Flow Estimation", IPOL 2013.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Real = Any
"""A float32 scalar, of the compiler or of the simulator."""

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX = (np.float32(i) for i in range(7))
HALF, QUARTER, SIXTEENTH = np.float32(0.5), np.float32(0.25), np.float32(0.0625)


def binomial(a: Real, b: Real, c: Real, d: Real, e: Real) -> Real:
    """Low-pass filter 1 4 6 4 1 before every second sample is taken."""
    return (a + e + FOUR * (b + d) + SIX * c) * SIXTEENTH


def normalised(difference: Real, variance: Real, floor: Real) -> Real:
    """Difference from the local mean in local standard deviations, with the least one's square added."""
    return difference / math.sqrt(variance + floor)


def cubic_weights(t: Real) -> tuple[Real, Real, Real, Real]:
    """Catmull-Rom weights of the four samples around a position t in [0, 1) between the middle two."""
    return (
        HALF * t * ((TWO - t) * t - ONE),
        HALF * ((THREE * t - FIVE) * t * t + TWO),
        HALF * t * ((FOUR - THREE * t) * t + ONE),
        HALF * (t - ONE) * t * t,
    )


def known(to_x: Real, to_y: Real, x: Real, y: Real) -> Real:
    """1 where the warp, to_x and to_y, keeps to the picture, whose nearest point is x, y; 0 outside.

    It falls from a quarter to three quarters of a pixel outside. A step would let rounding decide: at the
    border itself, where nothing moves, and, half a pixel outside, between CPU and CUDA.
    """
    off = max(abs(to_x - x), abs(to_y - y))
    return min(ONE, max(ZERO, THREE * HALF - TWO * off))


def data_term(
    left: Real, right: Real, up: Real, down: Real, change: Real, u: Real, v: Real, inside: Real, floor: Real
) -> tuple[Real, Real, Real, Real]:
    """The brightness difference as a linear function of the flow: gradient, value at no flow, weight.

    left .. down  sums of onset and warped apex beside the pixel: the gradient is the mean of both
    change        warped apex less onset, at the flow (u, v)
    inside        as `known` gave it: outside the picture brightness says nothing
    floor         noise / (tau * data weight): differences below the noise are weighed by their square
    return        gx, gy, rest, inverse = inside / (gx^2 + gy^2 + floor)
    """
    gx = QUARTER * (right - left)
    gy = QUARTER * (down - up)
    return gx, gy, change - gx * u - gy * v, inside / (gx * gx + gy * gy + floor)


def dual_step(px: Real, py: Real, gx: Real, gy: Real, sigma: Real, shrink: Real) -> tuple[Real, Real]:
    """Ascent of the dual variable of one flow component along its gradient, back into the unit disc.

    px, py  dual variable of the pixel
    gx, gy  forward differences of the extrapolated flow component
    shrink  1 / (1 + sigma * huber): below `huber`, gradients are smoothed quadratically [3]
    """
    ax = (px + sigma * gx) * shrink
    ay = (py + sigma * gy) * shrink
    length = math.sqrt(ax * ax + ay * ay)
    scale = ONE / max(ONE, length)  # type: ignore[operator]
    return ax * scale, ay * scale


def primal_step(
    u: Real, v: Real, gx: Real, gy: Real, rest: Real, inverse: Real, reach: Real
) -> tuple[Real, Real]:
    """Step of the flow towards equal brightness, after the step along the divergence of its dual.

    gx .. inverse  as `data_term` gave them
    reach          tau * data weight: the farthest step, in multiples of the gradient [1, eq. 15]
    """
    step = min(max((rest + gx * u + gy * v) * inverse, -reach), reach)
    return u - step * gx, v - step * gy
