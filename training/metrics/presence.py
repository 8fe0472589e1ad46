"""Action units: F1 of presence, macro-F1, accuracy, AUC and average precision, for each unit.

Letters: S samples, N units. Labels are 1 present, 0 absent, -1 not coded (left out of everything).
"F1" alone is ambiguous in this field: papers print the mean of the F1 of presence and of absence
under that name, which is about .46 for a predictor that never sees anything (`macro_f1`), while the
F1 of presence is 0 there. Both are here, under their own names.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Figure = Callable[[NDArray[np.bool_], Array], float]


def counts(labels: ArrayLike, decided: ArrayLike) -> NDArray[np.int64]:
    """True positives, false positives, false negatives, true negatives of each unit.

    labels   (S, N) in 1, 0, -1
    decided  (S, N) 0/1 or bool
    return   (4, N) in the order TP, FP, FN, TN

    >>> counts([[1, 0], [1, 1], [0, -1]], [[1, 1], [0, 1], [0, 1]]).tolist()
    [[1, 1], [0, 1], [1, 0], [1, 0]]
    """
    truth, called = _pair(labels, decided)
    yes = called > 0
    present, absent = truth == 1, truth == 0
    table = [present & yes, absent & yes, present & ~yes, absent & ~yes]
    return np.stack([cell.sum(axis=0) for cell in table]).astype(np.int64)


def presence_f1(labels: ArrayLike, decided: ArrayLike) -> Array:
    """F1 of presence of each unit, (N,): 2 TP / (2 TP + FP + FN).

    nan where a unit is never present and never decided.

    >>> presence_f1([[1], [1], [0]], [[1], [0], [0]]).round(3).tolist()
    [0.667]
    """
    tp, fp, fn, _ = counts(labels, decided)
    return _divide(2 * tp, 2 * tp + fp + fn)


def absence_f1(labels: ArrayLike, decided: ArrayLike) -> Array:
    """F1 of absence of each unit, (N,): 2 TN / (2 TN + FP + FN); nan where always present and decided.

    >>> absence_f1([[1], [1], [0]], [[1], [0], [0]]).round(3).tolist()
    [0.667]
    """
    _, fp, fn, tn = counts(labels, decided)
    return _divide(2 * tn, 2 * tn + fp + fn)


def macro_f1(labels: ArrayLike, decided: ArrayLike) -> Array:
    """Mean of the F1 of presence and of absence of each unit, (N,): what many papers call F1.

    As scikit-learn's `f1_score(average="macro")` over the two states. Where one of the two is
    undefined it is the other one.

    >>> macro_f1([[1], [0], [0], [0]], [[0], [0], [0], [0]]).round(3).tolist()  # never sees anything
    [0.429]
    """
    both = np.stack([presence_f1(labels, decided), absence_f1(labels, decided)])
    return np.array([mean(unit) for unit in both.T])


def accuracy(labels: ArrayLike, decided: ArrayLike) -> Array:
    """(TP + TN) / samples of each unit, (N,); nan where no sample is coded.

    >>> accuracy([[1], [1], [0]], [[1], [0], [0]]).round(3).tolist()
    [0.667]
    """
    tp, fp, fn, tn = counts(labels, decided)
    return _divide(tp + tn, tp + fp + fn + tn)


def auc(labels: ArrayLike, scores: ArrayLike) -> Array:
    """Area under the ROC curve of each unit, (N,).

    The chance that a present sample outscores an absent one; ties count half (Mann-Whitney).
    nan where a unit is always or never present.

    labels  (S, N) in 1, 0, -1
    scores  (S, N) larger means more surely present

    >>> auc([[1], [1], [0], [0]], [[0.9], [0.4], [0.4], [0.1]]).tolist()
    [0.875]
    """
    return _each(_auc, labels, scores)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> Array:
    """Average precision of each unit, (N,): sum over thresholds of precision x gain in recall.

        AP = sum_k (R_k - R_(k-1)) P_k      one k per distinct score, from the largest down

    Not interpolated. nan where a unit is never present; its chance level is the share of presence.

    >>> average_precision([[1], [0], [1], [0]], [[0.9], [0.8], [0.7], [0.1]]).round(4).tolist()
    [0.8333]
    """
    return _each(_average_precision, labels, scores)


def mean(values: ArrayLike) -> float:
    """Mean of the units where the figure is defined; nan where none is.

    >>> mean([0.5, float("nan"), 1.0])
    0.75
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def _pair(labels: ArrayLike, other: ArrayLike) -> tuple[Array, Array]:
    truth, second = np.asarray(labels, np.float64), np.asarray(other, np.float64)
    if truth.ndim != 2 or truth.shape != second.shape:
        raise ValueError(f"labels {truth.shape} and predictions {second.shape} must be (samples, units)")
    if not np.isin(truth, (-1, 0, 1)).all():
        raise ValueError("labels must be 1 present, 0 absent or -1 not coded")
    return truth, second


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Array:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _each(figure: Figure, labels: ArrayLike, scores: ArrayLike) -> Array:
    truth, score = _pair(labels, scores)
    columns = zip(truth.T, score.T, strict=True)
    return np.array([figure(t[t >= 0] == 1, s[t >= 0]) for t, s in columns], np.float64)


def _auc(present: NDArray[np.bool_], score: Array) -> float:
    yes, no = score[present], np.sort(score[~present])
    if not yes.size or not no.size:
        return float("nan")
    below, up_to = np.searchsorted(no, yes, "left"), np.searchsorted(no, yes, "right")
    return float((below + up_to).sum() / (2 * yes.size * no.size))


def _average_precision(present: NDArray[np.bool_], score: Array) -> float:
    if not present.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits, score = np.cumsum(present[order]), score[order]
    last = np.append(score[1:] != score[:-1], True)  # one threshold per distinct score
    hits, called = hits[last], np.flatnonzero(last) + 1
    gain = np.diff(hits, prepend=0) / hits[-1]
    return float((gain * hits / called).sum())
