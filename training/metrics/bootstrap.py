"""How far a figure would move with other people: bootstrap intervals over subjects.

Clips of one person resemble each other, so whole subjects are drawn, not clips: with 24 subjects the
interval is several times wider than one over clips, and honest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Estimate(NamedTuple):
    """A figure with its interval."""

    value: float
    low: float
    high: float


def bootstrap(
    figure: Callable[[NDArray[np.intp]], float],
    subjects: Sequence[Hashable],
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 1,
) -> Estimate:
    """Percentile interval of a figure when subjects are drawn with replacement.

    figure    rows (K,) of the pooled samples, repeated where a subject is drawn twice -> the figure
    subjects  (S,) whose sample each row is
    draws     how many times the subjects are drawn; draws where the figure is nan are left out
    level     share of the draws that the interval covers
    return    value on all samples; low and high are nan where every draw is undefined or there is
              a single subject (nothing can be said about other people then)

    >>> hits = np.array([1, 1, 0, 1, 0, 0])
    >>> bootstrap(lambda rows: float(hits[rows].mean()), list("aabbcc"), draws=500)
    Estimate(value=0.5, low=0.0, high=0.8333333333333334)
    """
    groups = subject_rows(subjects)
    value = figure(np.arange(len(subjects)))
    if len(groups) < 2:
        return Estimate(value, float("nan"), float("nan"))
    chosen = np.random.default_rng(seed).integers(len(groups), size=(draws, len(groups)))
    drawn = np.array([figure(np.concatenate([groups[g] for g in row])) for row in chosen])
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))


def subject_rows(subjects: Sequence[Hashable]) -> list[NDArray[np.intp]]:
    """Rows of each subject, subjects in order of first appearance.

    >>> [rows.tolist() for rows in subject_rows(["b", "a", "b"])]
    [[0, 2], [1]]
    """
    rows: dict[Hashable, list[int]] = {}
    for row, subject in enumerate(subjects):
        rows.setdefault(subject, []).append(row)
    return [np.array(r, np.intp) for r in rows.values()]
