"""The course of a short movement as one smooth curve: up, a moment at the top, and down again.

A course of a weak movement is noisy, and a threshold crossed by noise is a wrong onset. A curve with
few numbers uses all samples at once: raised cosines up and down (facial movements start and stop
without a jerk) on a straight line for drift, fitted by least squares. How much of the course it
explains tells a movement from restlessness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS_S = (0.032, 0.016, 0.008, 0.004, 0.002)
"""Seconds, the steps of the search, from coarse to fine."""
SHORTEST_S = 0.03
"""Seconds, least rise and fall."""
LONGEST_HOLD_S = 0.06
"""Seconds at the top at most."""
TOP = 0.995
"""The apex is where the curve first reaches this share of its height: real tops are flat, and what a coder
calls the apex is the first frame of it."""
REACHED = float(np.arccos(1 - 2 * TOP) / np.pi)
"""Share of the rise at which a raised cosine is there."""
MARGIN_S = 0.2
"""Seconds before onset and after offset that the fit looks at."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted movement; times in seconds."""

    onset: float
    apex: float
    """First moment at the top."""
    offset: float
    height: float
    """In the unit of the course."""
    explained: float
    """0..1: share of the course's variance about its own straight line that the curve explains."""


@njit(cache=True, nogil=True)
def _misfit(time, course, onset, apex, hold, offset):  # type: ignore[no-untyped-def]
    """(squares that are left, those of the straight line alone, height) of the best line plus curve."""
    n = len(time)
    middle = 0.5 * (time[0] + time[-1])
    s = np.zeros(9)
    for i in range(n):
        t, y = time[i], course[i]
        x = t - middle
        g = 0.0
        if onset < t < apex:
            g = 0.5 - 0.5 * np.cos(np.pi * (t - onset) / (apex - onset))
        elif apex <= t <= apex + hold:
            g = 1.0
        elif apex + hold < t < offset:
            g = 0.5 + 0.5 * np.cos(np.pi * (t - apex - hold) / (offset - apex - hold))
        s[0] += x
        s[1] += x * x
        s[2] += y
        s[3] += x * y
        s[4] += y * y
        s[5] += g
        s[6] += g * x
        s[7] += g * g
        s[8] += g * y
    # The line taken out of both, what is left is one number.
    x0 = s[0] / n
    xx = s[1] - n * x0 * x0 + 1e-12
    slope_y = (s[3] - x0 * s[2]) / xx
    slope_g = (s[6] - x0 * s[5]) / xx
    yy = s[4] - s[2] * s[2] / n - slope_y * slope_y * xx
    gg = s[7] - s[5] * s[5] / n - slope_g * slope_g * xx + 1e-12
    gy = s[8] - s[5] * s[2] / n - slope_g * slope_y * xx
    height = gy / gg
    if height <= 0:
        return yy, yy, 0.0
    return max(yy - height * gy, 0.0), yy, height


@njit(cache=True, nogil=True)
def _search(time, course, start, longest, steps):  # type: ignore[no-untyped-def]
    """Pattern search over (onset, apex, hold, offset) from a start, (4,) in place; returns as `_misfit`."""
    best = _misfit(time, course, start[0], start[1], start[2], start[3])
    trial = np.empty(4)
    for step in steps:
        for _ in range(12):
            moved = False
            for k in range(6):
                for sign in (-1.0, 1.0):
                    trial[:] = start
                    if k < 4:
                        trial[k] += sign * step
                    elif k == 4:  # all of it
                        trial[0] += sign * step
                        trial[1] += sign * step
                        trial[3] += sign * step
                    else:  # wider or narrower
                        trial[0] -= sign * step
                        trial[3] += sign * step
                    rise, fall = trial[1] - trial[0], trial[3] - trial[1] - trial[2]
                    if rise < SHORTEST_S or fall < SHORTEST_S or not 0.0 <= trial[2] <= LONGEST_HOLD_S:
                        continue
                    if trial[3] - trial[0] > longest:
                        continue
                    now = _misfit(time, course, trial[0], trial[1], trial[2], trial[3])
                    if now[0] < best[0]:
                        best = now
                        start[:] = trial
                        moved = True
            if not moved:
                break
    return best


def fit_curve(
    time: Floats, course: NDArray[np.floating], onset: float, apex: float, offset: float, longest: float
) -> Curve | None:
    """The curve around a movement that was found roughly; None where nothing rises or too little is seen.

    time, course          (n,) seconds and displacement
    onset, apex, offset   seconds, where to begin
    longest               seconds from onset to offset at most
    """
    near = (time >= onset - MARGIN_S) & (time <= offset + MARGIN_S)
    if near.sum() < 8:
        return None
    around, values = time[near], course[near].astype(np.float64)
    onset, offset = min(onset, apex - SHORTEST_S), max(offset, apex + SHORTEST_S)
    surplus = offset - onset - longest
    if surplus > 0:
        onset, offset = onset + surplus * (apex - onset) / (offset - onset), offset
        offset = min(offset, onset + longest)
    start = np.array([onset, apex, 0.0, offset])
    left, line, height = _search(around, values, start, longest, STEPS_S)
    if height <= 0 or line <= 0:
        return None
    at_top = float(start[0] + REACHED * (start[1] - start[0]))
    return Curve(float(start[0]), at_top, float(start[3]), float(height), float(1 - left / line))
