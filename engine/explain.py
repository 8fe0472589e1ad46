"""Say in a FACS coder's words which points of the face moved, and whether the decided units predict it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .aus import MIDDLE_PLACES, MIRROR, PLACES, UNITS, place_name
from .registration import CROP_OED

RADIUS = 3
"""Pixels of the crop: the movement of a point is the median over a square this far around it."""
LEAST = 0.4
"""Percent OED; smaller movement is not worth a line. About twice the noise of the flow at a point
(tuned on neutral pairs with head jitter)."""
NAMED = (*PLACES, *(MIRROR[point] for point in PLACES), *MIDDLE_PLACES)
"""Mesh points with a name."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one point of the face moved from onset to apex, against what a unit predicts."""

    point: int
    """Of the 478-point mesh."""
    place: str
    shift: tuple[float, float]
    """Percent OED; x towards the picture's right, y down."""
    predicted_by: str = ""
    """The decided unit that moves this point most alike, e.g. 'AU12'; '' where none does."""
    agreement: float = 0.0
    """Cosine between measured and predicted direction, -1..1."""

    @property
    def length(self) -> float:
        return float(np.hypot(*self.shift))


def shifts(
    flow: NDArray[np.float32], points: NDArray[np.float32], present: Iterable[int]
) -> tuple[Shift, ...]:
    """Named points that moved, largest first.

    flow     (S, S, 2) in crop pixels, head motion taken out
    points   (478, 2 or 3) in crop pixels
    present  FACS numbers of the decided units
    """
    return explained(measure(flow, points), present)


def measure(flow: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Movement of the named points (P, 2), percent OED, in the order of `NAMED`; arguments as `shifts`."""
    return np.array([point_shift(flow, points[point]) for point in NAMED], np.float32)


def explained(moved: NDArray[np.float32], present: Iterable[int]) -> tuple[Shift, ...]:
    """Named points that moved, largest first, from what `measure` found."""
    units = tuple(present)
    pairs = ((point, (float(x), float(y))) for point, (x, y) in zip(NAMED, moved, strict=True))
    found = [_explained(point, shift, units) for point, shift in pairs if np.hypot(*shift) >= LEAST]
    return tuple(sorted(found, key=lambda entry: -entry.length))


def point_shift(flow: NDArray[np.float32], point: NDArray[np.floating]) -> tuple[float, float]:
    """Movement around one point (x, y), percent OED; (0, 0) outside the crop."""
    column, row = int(np.rint(point[0])), int(np.rint(point[1]))
    rows = slice(max(row - RADIUS, 0), max(row + RADIUS + 1, 0))
    columns = slice(max(column - RADIUS, 0), max(column + RADIUS + 1, 0))
    patch = flow[rows, columns].reshape(-1, 2)
    if not len(patch):
        return 0.0, 0.0
    x, y = np.median(patch, axis=0) * (100 / CROP_OED)
    return float(x), float(y)


def _explained(point: int, shift: tuple[float, float], units: tuple[int, ...]) -> Shift:
    """The shift with the decided unit whose predicted direction is nearest to it, where one is."""
    cosines = {
        UNITS[au].code: _cosine(shift, move)
        for au in units
        if (move := UNITS[au].predicted().get(point)) is not None
    }
    if not cosines:
        return Shift(point, place_name(point), shift)
    best = max(cosines, key=lambda code: cosines[code])
    return Shift(point, place_name(point), shift, best, cosines[best])


def _cosine(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(np.dot(a, b) / (np.hypot(*a) * np.hypot(*b)))
