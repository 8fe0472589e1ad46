"""Emotion classes: UF1 and UAR, from one confusion table over all subjects pooled.

Pooled means that the predictions of every fold are put together first. The mean over folds of each
fold's F1 is another number (Varanka et al., arXiv 2211.11425: .666 against .739 for the same
predictions), because a subject with few clips lacks classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNLABELLED = -1
"""A prediction that is none of the classes: a miss for the true class, a false alarm for no other."""

Labels = Sequence[int] | NDArray[np.integer]


def confusion(truth: Labels, predicted: Labels, n_classes: int) -> NDArray[np.int64]:
    """How often class c was called d.

    truth      (S,) in 0..C-1
    predicted  (S,) in 0..C-1, or UNLABELLED
    return     (C, C + 1): rows true, columns predicted; the last column holds UNLABELLED

    >>> confusion([0, 0, 1], [0, 1, -1], 2).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    true, called = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if true.shape != called.shape or true.ndim != 1:
        raise ValueError(f"truth {true.shape} and predictions {called.shape} must be lists of one length")
    if true.size and not (true.min() >= 0 and true.max() < n_classes > called.max() and called.min() >= -1):
        raise ValueError(f"classes must lie in 0..{n_classes - 1}")
    table = np.zeros((n_classes, n_classes + 1), np.int64)
    np.add.at(table, (true, called), 1)  # -1 indexes the last column
    return table


def class_f1(truth: Labels, predicted: Labels, n_classes: int) -> NDArray[np.float64]:
    """F1 of each class, (C,): 2 TP / (2 TP + FP + FN); nan where a class is neither true nor called."""
    table = confusion(truth, predicted, n_classes)
    hits = np.diagonal(table).astype(float)
    return _divide(2 * hits, table.sum(axis=1) + table[:, :n_classes].sum(axis=0))


def class_recall(truth: Labels, predicted: Labels, n_classes: int) -> NDArray[np.float64]:
    """Recall of each class, (C,): TP / (TP + FN); nan where a class is never true."""
    table = confusion(truth, predicted, n_classes)
    return _divide(np.diagonal(table).astype(float), table.sum(axis=1))


def uf1(truth: Labels, predicted: Labels, n_classes: int) -> float:
    """Unweighted F1: the mean over classes of the F1 of each.

        UF1 = 1/C sum_c 2 TP_c / (2 TP_c + FP_c + FN_c)

    Undefined classes (neither true nor called) are left out of the mean; nan where all are.

    >>> round(uf1([0, 0, 1, 2], [0, 1, 1, 2], 3), 4)
    0.7778
    """
    return _mean(class_f1(truth, predicted, n_classes))


def uar(truth: Labels, predicted: Labels, n_classes: int) -> float:
    """Unweighted average recall: the mean over classes of TP / (TP + FN).

    Classes that are never true are left out of the mean; nan where all are.

    >>> round(uar([0, 0, 1, 2], [0, 1, 1, 2], 3), 4)
    0.8333
    """
    return _mean(class_recall(truth, predicted, n_classes))


def accuracy(truth: Labels, predicted: Labels) -> float:
    """Share of the samples called right; nan without samples.

    >>> accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    0.75
    """
    hits = np.asarray(truth) == np.asarray(predicted)
    return float(hits.mean()) if hits.size else float("nan")


def _divide(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
