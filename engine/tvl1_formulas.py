"""The arithmetic of TV-L1, one pixel at a time: the same lines are compiled for the CPU and for CUDA.

Plain Python on float32 scalars, without arrays, so that both compilers and the simulator take them
and both results agree. References:

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

ONE = np.float32(1)


def dual_step(px: Real, py: Real, gx: Real, gy: Real, sigma: Real, shrink: Real) -> tuple[Real, Real]:
    """Ascent of the dual variable of one flow component along its gradient, back into the unit disc.

    px, py   dual variable of the pixel
    gx, gy   forward differences of the extrapolated flow component
    shrink   1 / (1 + sigma * huber): below one, small gradients are smoothed quadratically [3]
    """
    ax = (px + sigma * gx) * shrink
    ay = (py + sigma * gy) * shrink
    scale = ONE / max(ONE, math.sqrt(ax * ax + ay * ay))
    return ax * scale, ay * scale


def primal_step(
    u: Real,
    v: Real,
    div_u: Real,
    div_v: Real,
    gx: Real,
    gy: Real,
    rest: Real,
    inverse: Real,
    tau: Real,
    reach: Real,
) -> tuple[Real, Real]:
    """Descent of the flow: first along the divergence of its dual, then towards constant brightness.

    gx, gy   gradient of the warped picture; rest the brightness error at zero flow, linearised
    inverse  1 / (gx^2 + gy^2), 0 where there is no gradient
    reach    tau * weight of the data: the farthest step, as multiple of the gradient [1, eq. 15]
    """
    u = u + tau * div_u
    v = v + tau * div_v
    step = (rest + gx * u + gy * v) * inverse
    step = min(max(step, -reach), reach)
    return u - step * gx, v - step * gy


def cubic_weights(t: Real) -> tuple[Real, Real, Real, Real]:
    """Catmull-Rom weights of the four samples around a position t in [0, 1) between the middle two."""
    half = np.float32(0.5)
    return (
        half * t * ((np.float32(2) - t) * t - ONE),
        half * ((np.float32(3) * t - np.float32(5)) * t * t + np.float32(2)),
        half * t * ((np.float32(4) - np.float32(3) * t) * t + ONE),
        half * (t - ONE) * t * t,
    )
