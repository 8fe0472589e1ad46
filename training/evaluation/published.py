"""The same predictions under the conventions of papers, each labelled for what it is.

They exist to be compared with printed numbers. None of them is an estimate of how a model does on
people it has not seen: the settings are chosen on the very samples that are judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import emotion as em
from ..metrics import presence as au
from .predictions import Labels, Predictions, Scores

GRID = np.round(np.arange(0.1, 0.851, 0.05), 2)
"""Thresholds that AU-LLM searches on the pooled test outputs (its published code)."""

Figure = Callable[[Labels, Labels], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to compute a number that papers call F1."""

    name: str
    f1: float
    accuracy: float


def as_published(predictions: Predictions) -> list[Convention]:
    """Mean F1 and accuracy of the units under each convention."""
    p = predictions
    half, oracle = (p.probability > 0.5).astype(np.int64), oracle_decisions(p.labels, p.probability)
    return [
        _convention(
            "F1 of presence, thresholds of the training folds", p.labels, p.decided, au.presence_f1
        ),
        _convention("macro F1, thresholds of the training folds", p.labels, p.decided, au.macro_f1),
        _convention("macro F1, threshold 0.5", p.labels, half, au.macro_f1),
        _convention(
            "macro F1, thresholds chosen on the test samples (AU-LLM)", p.labels, oracle, au.macro_f1
        ),
        _over_folds("macro F1, mean over folds instead of pooled", p, au.macro_f1),
    ]


def by_oracle_epoch(predictions: Predictions, epochs: Scores) -> list[Convention]:
    """Settings chosen on the test samples: the epoch of each fold, or one for all, at threshold 0.5.

    epochs  (E, S, N) probability of each test sample after each epoch of its fold's training

    Choosing the best epoch for each test subject is what several published evaluations do (the scripts of
    MER-CLIP, HTNet and MMNet keep the checkpoint that is best on the subject that is left out).
    """
    decided = (epochs > 0.5).astype(np.int64)
    folds = np.array(predictions.fold)
    own = np.empty_like(decided[0])
    for fold in dict.fromkeys(folds):
        rows = folds == fold
        own[rows] = decided[_best_epoch(predictions.labels[rows], decided[:, rows]), rows]
    one = decided[_best_epoch(predictions.labels, decided)]
    return [
        _convention("macro F1, epoch chosen for each test fold", predictions.labels, own, au.macro_f1),
        _convention("macro F1, one epoch chosen on all test samples", predictions.labels, one, au.macro_f1),
    ]


def _best_epoch(labels: Labels, decided: Labels) -> int:
    scores = [au.mean(au.macro_f1(labels, one)) for one in decided]
    return int(np.argmax(np.nan_to_num(scores, nan=-1.0)))


def oracle_decisions(labels: Labels, probability: Scores) -> Labels:
    """Decisions (S, N) at each unit's best threshold of GRID for macro F1, on these very samples."""
    tried = np.stack([(probability > step).astype(np.int64) for step in GRID])  # (T, S, N)
    scores = np.stack([au.macro_f1(labels, decided) for decided in tried])  # (T, N)
    best = np.argmax(np.nan_to_num(scores, nan=-1.0), axis=0)  # (N,)
    return np.asarray(np.take_along_axis(tried, best[None, None], axis=0)[0], np.int64)


def _convention(name: str, labels: Labels, decided: Labels, figure: Figure) -> Convention:
    return Convention(name, au.mean(figure(labels, decided)), au.mean(au.accuracy(labels, decided)))


def _over_folds(name: str, predictions: Predictions, figure: Figure) -> Convention:
    folds = np.array(predictions.fold)
    pairs = [
        (predictions.labels[folds == f], predictions.decided[folds == f]) for f in dict.fromkeys(folds)
    ]
    f1 = [au.mean(figure(labels, decided)) for labels, decided in pairs]
    accuracy = [au.mean(au.accuracy(labels, decided)) for labels, decided in pairs]
    return Convention(name, au.mean(f1), au.mean(accuracy))


def emotion_over_folds(predictions: Predictions) -> float:
    """Mean over folds of each fold's macro F1 of the emotions: a number some papers print for UF1.

    nan where no sample has a true class, or where nothing was called.
    """
    if not any(predictions.emotion):
        return float("nan")
    classes = sorted({name for name in predictions.emotion_true if name})
    code = {name: number for number, name in enumerate(classes)}
    folds: dict[str, list[tuple[int, int]]] = {}
    for fold, true, called in zip(
        predictions.fold, predictions.emotion_true, predictions.emotion, strict=True
    ):
        if true:
            folds.setdefault(fold, []).append((code[true], code.get(called, em.UNLABELLED)))
    scores = [
        em.uf1([t for t, _ in pairs], [c for _, c in pairs], len(classes)) for pairs in folds.values()
    ]
    return au.mean(scores)
