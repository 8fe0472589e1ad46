"""The two rows that stand under every table: never a unit, and the same decisions dealt out at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def all_negative(labels: ArrayLike) -> NDArray[np.int64]:
    """Decisions of a predictor that never sees a unit, (S, N) zeros.

    >>> all_negative([[1, 0], [0, 1]]).tolist()
    [[0, 0], [0, 0]]
    """
    return np.zeros(np.shape(labels), np.int64)


def chance(
    figure: Callable[..., NDArray[np.float64]],
    labels: ArrayLike,
    predicted: ArrayLike,
    draws: int = 100,
    seed: int = 1,
) -> NDArray[np.float64]:
    """Mean of a figure when the predictions are shuffled among the samples.

    Every unit keeps as many predictions of each value as it had, so the row says what the decided
    rates alone are worth.

    figure     (S, N) labels, (S, N) predictions -> (N,), e.g. `presence_f1`
    predicted  (S, N) decisions or scores
    return     (N,); nan where every draw is

    >>> from .presence import presence_f1
    >>> labels = np.array([[1], [0], [0], [0]])
    >>> chance(presence_f1, labels, np.ones((4, 1))).round(3).tolist()
    [0.4]
    """
    rng = np.random.default_rng(seed)
    given = np.asarray(predicted, np.float64)
    drawn = np.stack([figure(labels, rng.permuted(given, axis=0)) for _ in range(draws)])  # (draws, N)
    total, known = np.nansum(drawn, axis=0), (~np.isnan(drawn)).sum(axis=0)
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)
