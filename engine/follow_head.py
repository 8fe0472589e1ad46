"""The crop of a second picture of a face whose head may have moved in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .records import Face
from .registration import Affine, apply
from .rigid import STABLE

STILL = 0.015
"""Share of the eye distance by which measured points tremble: a head that moved less stood still."""


def follow_head(matrix: Affine, face: Face, moved: Face) -> Affine:
    """The crop of the second picture that shows the head where the first one's crop shows it.

    matrix   (2, 3) from crop to the first picture
    return   (2, 3) from crop to the second; `matrix` itself where the head stood still, since measured
             points tremble and a second registration would add their tremble to the motion
    """
    here, there = (points[STABLE, 0] + 1j * points[STABLE, 1] for points in (face.points, moved.points))
    if np.abs(there - here).mean() < STILL * face.oed:
        return matrix
    turn, shift = _similarity(here, there)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    step = np.column_stack([linear, [shift.real, shift.imag]])
    return np.column_stack([linear @ matrix[:, :2], apply(step, matrix[:, 2])])


def _similarity(
    here: NDArray[np.complexfloating], there: NDArray[np.complexfloating]
) -> tuple[complex, complex]:
    """(a, b) with there = a here + b in least squares; points as x + i y."""
    start, end = here.mean(), there.mean()
    turn = np.vdot(here - start, there - end) / np.vdot(here - start, here - start)
    return complex(turn), complex(end - turn * start)
