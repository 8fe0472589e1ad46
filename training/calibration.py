"""Make probabilities honest and decide from when a unit counts as present, on validation persons alone.

Temperature: Guo et al., "On calibration of modern neural networks" (ICML 2017), one per unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

TEMPERATURES = np.geomspace(0.2, 8.0, 149)
THRESHOLDS = np.linspace(0.1, 0.9, 81)
MARGINS = np.linspace(0.5, 15, 146)
NEVER = 100.0
AS_GOOD = 0.01
"""F1 below the best one that counts as good: where exactly the peak lies is chance."""
QUIET = 0.01
"""Largest share of still pairs in which a unit may be decided, whatever F1 would like."""
CALM = 0.02
"""Largest share of still pairs, of any way to move, in which any unit at all may be decided."""
LIFT = 0.05
"""Log-odds by which a threshold is raised at a time to get there."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """One number per unit, in the order of the outputs."""

    temperature: tuple[float, ...]
    threshold: tuple[float, ...]
    side_temperature: tuple[float, ...]
    side_margin: tuple[float, ...]
    """Difference of the sides' calibrated log-odds from which one side alone is named."""
    emotion_margin: float = 0.0
    """Similarity by which the best emotion class must lead."""


def temperature(logits: Array, labels: NDArray[np.integer]) -> float:
    """The temperature of least negative log-likelihood, from a fixed grid.

    logits  (S,) log-odds
    labels  (S,) 0 or 1
    """
    sign = np.where(labels == 1, -1.0, 1.0)
    losses = [np.logaddexp(0, sign * logits / t).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def threshold(probability: Array, labels: NDArray[np.integer], still: Bool) -> float:
    """The probability from which F1 of presence is as good as best, high enough to leave still pairs alone.

    probability  (S,) calibrated
    still        (S,) pairs in which nothing at all moves

    Of those within AS_GOOD of the best the middle is taken: it lies farthest from both mistakes, and holds
    best where faces move otherwise (docs/model-card.md, across geometries).
    """
    allowed = [t for t in THRESHOLDS if not still.any() or (probability[still] >= t).mean() <= QUIET]
    candidates = np.array(allowed or [THRESHOLDS[-1]])
    scores = np.array([f1(probability >= t, labels == 1) for t in candidates])
    good = candidates[scores >= scores.max() - AS_GOOD]
    return float(good[len(good) // 2])


def hush(threshold: Array, probability: Array, still: Bool, kind: NDArray[np.integer]) -> Array:
    """The thresholds, raised until still faces are left alone: seventeen units that each speak in one
    still pair of a hundred would speak in one of six.

    threshold    (N,)
    probability  (S, N) calibrated
    still        (S,) pairs in which nothing at all moves
    kind         (S,) of which sort each pair is; the noisiest sort decides
    return       (N,); it is always the unit that speaks most in the noisiest sort that is raised, so that a
                 unit which is quiet by itself keeps the threshold of its best F1
    """
    odds = np.log(threshold / (1 - threshold))
    sorts = [probability[still & (kind == k)] for k in np.unique(kind[still])]
    while sorts:
        spoken = [of_sort >= sigmoid(odds) for of_sort in sorts]
        shares = [float(np.any(speaks, axis=1).mean()) for speaks in spoken]
        if max(shares) <= CALM:
            break
        odds[int(spoken[int(np.argmax(shares))].mean(axis=0).argmax())] += LIFT
    return sigmoid(odds)


def margin(odds: Array, labels: NDArray[np.integer]) -> float:
    """The difference from which one side alone is named: as right for one-sided as for two-sided ones.

    odds    (S, 2) calibrated log-odds of left and right, where the unit moves
    labels  (S, 2) 0 or 1, at least one of them 1
    return  the middle of the best differences; so large that no side is ever named where there is
            nothing to learn it from
    """
    alone = labels.sum(axis=1) == 1
    if alone.all() or not alone.any():
        return NEVER
    gap = np.abs(odds[:, 0] - odds[:, 1])
    right = (odds[:, 0] > odds[:, 1]) == (labels[:, 0] == 1)
    scores = np.array([(right & (gap >= m))[alone].mean() + (gap < m)[~alone].mean() for m in MARGINS])
    best = MARGINS[scores >= scores.max() - 1e-9]
    return float(best[len(best) // 2])


def f1(decided: Bool, truth: Bool) -> float:
    """F1 of presence; 0 where nothing is there and nothing decided."""
    hits = float((decided & truth).sum())
    return 2 * hits / max(float(decided.sum() + truth.sum()), 1.0)


def fit_unit(logits: Array, labels: NDArray[np.integer], still: Bool) -> tuple[float, float]:
    """Temperature and threshold of one unit."""
    t = temperature(logits, labels)
    return t, threshold(sigmoid(logits / t), labels, still)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def reliability(
    probability: Array, labels: NDArray[np.integer], bins: int = 15
) -> list[tuple[float, float, int]]:
    """Per bin of probability that is not empty: mean said, share that came true, how many."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    groups = [place == k for k in range(bins) if (place == k).any()]
    return [(float(probability[g].mean()), float((labels[g] == 1).mean()), int(g.sum())) for g in groups]


def expected_calibration_error(probability: Array, labels: NDArray[np.integer], bins: int = 15) -> float:
    """Mean distance between what was said and what came true, over equal bins of probability."""
    rows = reliability(probability, labels, bins)
    return sum(abs(said - true) * count for said, true, count in rows) / len(probability)
