"""Stored predictions -> figures, each with its interval over subjects and the rows of chance beneath.

Every figure is taken from the predictions of all folds pooled. "Never" decides no unit at all (or
always calls the largest emotion class); "chance" deals the same decisions out at random.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import emotion as em
from ..metrics import presence as au
from ..metrics.bootstrap import Estimate, bootstrap
from ..metrics.floors import all_negative, chance
from .predictions import Labels, Predictions, Scores

PerUnit = Callable[[Labels, Labels | Scores], NDArray[np.float64]]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Figure:
    """One column of the table of units."""

    name: str
    of: PerUnit
    scored: bool
    """True: from probabilities; False: from decisions."""


FIGURES = (
    Figure("F1", au.presence_f1, False),
    Figure("macro F1", au.macro_f1, False),
    Figure("ACC", au.accuracy, False),
    Figure("AUC", au.auc, True),
    Figure("AP", au.average_precision, True),
)
"""'F1' is that of presence; 'macro F1' the mean of presence and absence, which many papers call F1."""


@dataclass(frozen=True, slots=True)
class UnitTable:
    """Figures of the units: N rows, one column per entry of FIGURES."""

    units: tuple[int, ...]
    present: tuple[int, ...]
    """(N,) samples that show the unit."""
    values: NDArray[np.float64]
    """(N, F)"""
    means: tuple[Estimate, ...]
    """(F,) mean over units, with its interval over subjects."""
    never: tuple[float, ...]
    """(F,) mean over units of a predictor that never sees anything; AUC and AP of a constant score."""
    by_chance: tuple[float, ...]
    """(F,) mean over units of the same predictions, dealt out at random."""


def judge_units(predictions: Predictions, draws: int = 1000) -> UnitTable:
    """Every figure of every unit."""
    p = predictions
    values = [figure.of(p.labels, _said(p, figure)) for figure in FIGURES]
    return UnitTable(
        p.units,
        tuple(int(n) for n in (p.labels == 1).sum(axis=0)),
        np.stack(values, axis=1),
        tuple(_interval(p, figure, draws) for figure in FIGURES),
        tuple(au.mean(figure.of(p.labels, all_negative(p.labels))) for figure in FIGURES),
        tuple(au.mean(chance(figure.of, p.labels, _said(p, figure))) for figure in FIGURES),
    )


def _said(predictions: Predictions, figure: Figure) -> Labels | Scores:
    return predictions.probability if figure.scored else predictions.decided


def _interval(predictions: Predictions, figure: Figure, draws: int) -> Estimate:
    said = _said(predictions, figure)

    def mean(rows: Rows) -> float:
        return au.mean(figure.of(predictions.labels[rows], said[rows]))

    return bootstrap(mean, predictions.people, draws)


@dataclass(frozen=True, slots=True)
class EmotionTable:
    """Figures of the emotion classes."""

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """(C,) samples of each class."""
    f1: tuple[float, ...]
    recall: tuple[float, ...]
    """(C,) of each class."""
    uf1: Estimate
    uar: Estimate
    accuracy: Estimate
    largest: tuple[float, float, float]
    """UF1, UAR, ACC of always calling the largest class."""
    by_chance: tuple[float, float, float]
    """The same calls, dealt out at random; mean of 100 draws."""


def judge_emotions(predictions: Predictions, draws: int = 1000) -> EmotionTable | None:
    """Figures over the samples that have a true class; None where none has, or where none was called."""
    kept = [k for k, name in enumerate(predictions.emotion_true) if name]
    if not kept or not any(predictions.emotion):
        return None
    classes = tuple(sorted({predictions.emotion_true[k] for k in kept}))
    code = {name: number for number, name in enumerate(classes)}
    true = np.array([code[predictions.emotion_true[k]] for k in kept])
    called = np.array([code.get(predictions.emotion[k], em.UNLABELLED) for k in kept])
    people = [predictions.people[k] for k in kept]
    figures = [_bound(figure, true, called) for figure in _figures(len(classes))]
    most = np.full(len(true), Counter(true.tolist()).most_common(1)[0][0])
    uf1, uar, accuracy = (bootstrap(figure, people, draws) for figure in figures)
    return EmotionTable(
        classes,
        tuple(int((true == c).sum()) for c in range(len(classes))),
        tuple(em.class_f1(true, called, len(classes)).tolist()),
        tuple(em.class_recall(true, called, len(classes)).tolist()),
        uf1,
        uar,
        accuracy,
        largest=_three([figure(true, most) for figure in _figures(len(classes))]),
        by_chance=_three(_dealt(true, called, len(classes))),
    )


Call = NDArray[np.int64]


def _figures(n_classes: int) -> tuple[Callable[[Call, Call], float], ...]:
    return (
        lambda true, called: em.uf1(true, called, n_classes),
        lambda true, called: em.uar(true, called, n_classes),
        em.accuracy,
    )


def _bound(figure: Callable[[Call, Call], float], true: Call, called: Call) -> Callable[[Rows], float]:
    return lambda rows: figure(true[rows], called[rows])


def _dealt(true: Call, called: Call, n_classes: int, draws: int = 100) -> list[float]:
    rng = np.random.default_rng(1)
    dealt = [rng.permutation(called) for _ in range(draws)]
    return [float(np.mean([figure(true, one) for one in dealt])) for figure in _figures(n_classes)]


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
