"""How each action unit moves the followed regions, and how well a movement is made of units.

A face moves along its muscles: a displacement that no mixture of action units explains is a tracking
error, a shadow or hair, not an expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .regions import NAMES

Array = NDArray[np.float32]
Move = tuple[float, float]

# fmt: off
MOVES: Mapping[str, Mapping[str, Move]] = {
    "1": {"inner brow": (-0.5, -6.0), "middle brow": (-0.3, -3.5), "forehead": (0.0, -4.0),
          "glabella": (0.0, -2.0)},
    "2": {"outer brow": (-1.5, -6.5), "middle brow": (-2.0, -7.0), "inner brow": (-0.7, -3.0),
          "forehead": (-1.0, -4.0), "upper lid": (-0.3, -1.0)},
    "4": {"inner brow": (2.5, 2.5), "middle brow": (4.5, 3.5), "outer brow": (2.5, 2.0),
          "forehead": (2.0, 2.0), "glabella": (0.0, 2.5), "upper lid": (1.0, 1.0),
          "side of the nose": (0.2, 0.3)},
    "5": {"upper lid": (0.0, -3.0)},
    "6": {"cheek below the eye": (0.3, -3.4), "cheek": (0.0, -3.0), "lower lid": (0.6, -1.8),
          "side of the cheek": (0.3, -2.0), "fold beside the mouth": (0.0, -1.0)},
    "7": {"lower lid": (0.8, -2.2), "cheek below the eye": (0.2, -0.6)},
    "9": {"side of the nose": (0.3, -5.0), "nostril": (-0.5, -7.0),
          "middle of the upper lip": (0.0, -5.0), "upper lip": (0.0, -7.0),
          "fold beside the mouth": (0.0, -4.0), "inner brow": (0.5, 1.5), "glabella": (0.0, 1.5),
          "cheek below the eye": (0.5, -1.5), "lower lid": (0.2, -0.8)},
    "10": {"upper lip": (-2.0, -9.0), "middle of the upper lip": (0.0, -7.0),
           "fold beside the mouth": (-0.5, -5.0), "nostril": (-0.3, -2.5), "cheek": (0.0, -2.0),
           "mouth corner": (-1.0, -3.0)},
    "12": {"mouth corner": (-7.5, -11.0), "fold beside the mouth": (-5.0, -7.0),
           "upper lip": (-5.0, -6.0), "lower lip": (-4.5, -6.5), "cheek": (-2.0, -5.0),
           "cheek below the eye": (-0.5, -2.5), "middle of the lower lip": (0.0, -2.5),
           "side of the chin": (-2.0, -3.0)},
    "14": {"mouth corner": (-2.5, -1.5), "upper lip": (-2.0, 0.0), "lower lip": (-2.2, -1.0),
           "side of the chin": (-1.0, -1.0), "cheek": (-1.0, -0.5),
           "fold beside the mouth": (-0.5, -0.5)},
    "15": {"mouth corner": (-1.5, 5.0), "lower lip": (-0.8, 3.0), "side of the chin": (-1.0, 3.0),
           "fold beside the mouth": (-0.7, 2.5), "upper lip": (-0.5, 1.5)},
    "17": {"chin": (0.0, -9.0), "middle of the lower lip": (0.0, -8.5), "lower lip": (-0.3, -7.5),
           "side of the chin": (0.0, -6.0), "mouth corner": (0.0, -1.5),
           "middle of the upper lip": (0.0, -1.5), "upper lip": (0.0, -1.0)},
    "18": {"mouth corner": (5.0, -1.0), "fold beside the mouth": (3.0, 0.0), "upper lip": (2.5, -1.5),
           "lower lip": (2.5, 0.5)},
    "20": {"mouth corner": (-7.5, 3.0), "fold beside the mouth": (-5.0, 1.5), "lower lip": (-5.0, 1.5),
           "upper lip": (-4.0, 0.8), "cheek": (-2.5, 0.5), "side of the chin": (-3.5, 1.5)},
    "23": {"mouth corner": (3.0, 0.0), "fold beside the mouth": (1.5, 0.0), "upper lip": (1.0, 1.2),
           "lower lip": (1.0, -1.2), "middle of the upper lip": (0.0, 1.2),
           "middle of the lower lip": (0.0, -1.2)},
    "24": {"middle of the upper lip": (0.0, 2.0), "upper lip": (0.0, 1.8),
           "middle of the lower lip": (0.0, -3.5), "lower lip": (0.0, -3.0), "chin": (0.0, -2.5),
           "side of the chin": (0.0, -1.5)},
    "25": {"middle of the lower lip": (0.0, 4.0), "lower lip": (0.0, 3.3), "chin": (0.0, 2.5),
           "side of the chin": (0.0, 2.0), "middle of the upper lip": (0.0, -1.0),
           "upper lip": (0.0, -0.8)},
    "26": {"chin": (0.0, 11.0), "middle of the lower lip": (0.0, 12.0), "lower lip": (0.0, 10.0),
           "side of the chin": (0.0, 9.0), "mouth corner": (0.5, 4.0),
           "fold beside the mouth": (0.3, 2.0)},
}
# fmt: on
"""Unit -> region of the subject's right half, or on the midline -> displacement at full strength, percent
of OED; x towards the picture's right, y down. After ICT-FaceKit's shapes where it has them, the FACS
manual's words where not (6, 14, 18, 23, 25). Only directions and proportions are used."""
MIDLINE_UNITS = ("17", "18", "23", "24", "25", "26")
"""Move both halves together."""
ROUNDS = 200
"""Of coordinate descent."""


def unit_motions() -> tuple[tuple[str, ...], Array]:
    """Every unit, for each side where it has two.

    return  T names such as '12L' and '17'; (T, K, 2) displacement, percent of OED at full strength
    """
    rows: dict[str, Array] = {}
    for unit, moves in MOVES.items():
        right, left = _half(moves, "right"), _half(moves, "left")
        both = np.where(right != 0, right, left)  # the midline stands in both halves
        rows |= {unit: both} if unit in MIDLINE_UNITS else {f"{unit}R": right, f"{unit}L": left}
    return tuple(rows), np.stack(list(rows.values()))


def _half(moves: Mapping[str, Move], side: str) -> Array:
    field = np.zeros((len(NAMES), 2), np.float32)
    for place, (dx, dy) in moves.items():
        name = place if place in NAMES else f"{side} {place}"
        field[NAMES.index(name)] = (dx if side == "right" else -dx, dy)
    return field


UNIT_NAMES, UNIT_MOTIONS = unit_motions()


def explained(direction: Array, units: Sequence[str] = tuple(MOVES)) -> float:
    """Share of a movement's energy that a mixture of action units explains, 0..1.

    direction  (K, 2) displacement, percent of OED; regions at exactly 0 do not count
    units      those that may take part
    """
    counts = np.abs(direction).sum(axis=1) > 0
    rows = [t for t, name in enumerate(UNIT_NAMES) if name.rstrip("LR") in units]
    basis = UNIT_MOTIONS[rows][:, counts].reshape(len(rows), -1).astype(np.float64)  # (T, 2 k)
    wanted = direction[counts].reshape(-1).astype(np.float64)
    energy = float(wanted @ wanted)
    if energy == 0:
        return 0.0
    rest = wanted - _mixture(basis, wanted) @ basis
    return 1 - float(rest @ rest) / energy


@njit(cache=True)
def _mixture(basis, wanted):  # type: ignore[no-untyped-def]
    """Non-negative least squares (a muscle pulls, it does not push) by coordinate descent, (T,)."""
    strength = np.zeros(basis.shape[0])
    rest = wanted.copy()
    for _ in range(ROUNDS):
        for t in range(basis.shape[0]):
            norm = (basis[t] ** 2).sum()
            if norm > 1e-6:
                step = max((basis[t] * rest).sum() / norm, -strength[t])
                strength[t] += step
                rest -= step * basis[t]
    return strength
