"""When do two stretches of time count as the same movement: overlap and one-to-one matching.

An interval is a pair (first, last). Frames count inclusively, as in the challenge's own rules (MEGC
2020-2025): (10, 19) is ten frames long. Seconds are continuous: pass `unit=0`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Interval = tuple[float, float]


class Pair(NamedTuple):
    """One true movement and the one found movement that is counted for it."""

    truth: int
    """Row of the true interval."""
    found: int
    """Row of the found interval."""
    iou: float


def iou_matrix(
    truth: Sequence[Interval], found: Sequence[Interval], unit: float = 1.0
) -> NDArray[np.float64]:
    """Intersection over union of every true with every found interval.

    truth   M pairs (first, last)
    found   K pairs
    unit    1: frames, both ends counted; 0: seconds
    return  (M, K) in 0..1; 0 where both intervals are empty

    >>> iou_matrix([(10, 19)], [(15, 24), (10, 19), (30, 40)]).round(3).tolist()
    [[0.333, 1.0, 0.0]]
    """
    a = np.asarray(truth, np.float64).reshape(-1, 2)[:, None]  # (M, 1, 2)
    b = np.asarray(found, np.float64).reshape(-1, 2)[None]  # (1, K, 2)
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]) + unit
    shared = np.maximum(shared, 0.0)  # (M, K)
    union = (a[..., 1] - a[..., 0] + unit) + (b[..., 1] - b[..., 0] + unit) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(
    truth: Sequence[Interval], found: Sequence[Interval], threshold: float = 0.5, unit: float = 1.0
) -> list[Pair]:
    """As many pairs with IoU >= threshold as can be made, each interval used once.

    Among the largest sets of pairs the one with the largest sum of IoU is taken, so the answer does
    not depend on the order of the rows (a greedy pass does, where movements overlap).

    >>> match([(0, 9), (20, 29)], [(0, 7), (1, 9), (50, 60)])
    [Pair(truth=0, found=1, iou=0.9)]
    """
    iou = iou_matrix(truth, found, unit)
    fits = iou >= threshold
    # One more pair must outweigh any gain in overlap: the sum of all IoU is at most min(M, K).
    worth = np.where(fits, 1.0 + iou / (min(iou.shape) + 1.0), 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [
        Pair(int(i), int(j), float(iou[i, j])) for i, j in zip(rows, columns, strict=True) if fits[i, j]
    ]
