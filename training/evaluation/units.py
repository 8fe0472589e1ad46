"""Action units, sides and emotions of found movements: were the right ones named?

Two answers to "the F1 of the units". Given spotting: over the true positives alone. Whole pipeline:
a missed movement counts as one where nothing was decided, a false alarm as one where nothing was
true, so that spotting less cannot raise it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.emotion import uar
from ..metrics.presence import auc, macro_f1, presence_f1
from ..metrics.spotting import strs
from .spotting import Movement, Outcome

EMOTIONS = ("negative", "positive", "surprise")
"""The classes of STRS in MEGC 2023-2025; others are left out of its recognition half."""

NOTHING = Movement(0, 0, 0, 0.0, 0.0, 0.0)
"""Stands on the empty side of a missed movement or a false alarm."""


@dataclass(frozen=True, slots=True)
class UnitScore:
    """How well one unit was named."""

    unit: int
    true: int
    """How many true movements show it."""
    given: float
    """F1 of presence over the true positives; nan where undefined."""
    macro: float
    """Mean F1 of presence and absence over the true positives."""
    auc: float
    """Area under the ROC curve over the true positives; nan without probabilities."""
    whole: float
    """F1 of presence, misses and false alarms counted."""


def score_units(outcome: Outcome, units: Sequence[int] | None = None) -> list[UnitScore]:
    """One row per unit; `units` None: every unit that is true or decided somewhere."""
    given, whole = outcome.pairs, [*outcome.pairs, *_unpaired(outcome)]
    units = sorted(_numbers_of(whole)) if units is None else units
    if not units or not whole:
        return []
    true, decided = _tables(given, units)
    f1, both, area = presence_f1(true, decided), macro_f1(true, decided), auc(true, _scores(given, units))
    true_whole, decided_whole = _tables(whole, units)
    all_f1, totals = presence_f1(true_whole, decided_whole), true_whole.sum(axis=0)
    columns = zip(units, totals, f1, both, area, all_f1, strict=True)
    return [UnitScore(unit, int(n), *map(float, figures)) for unit, n, *figures in columns]


def _unpaired(outcome: Outcome) -> list[tuple[Movement, Movement]]:
    missed = [(m, NOTHING) for clip in outcome.clips for m in outcome.missed(clip)]
    return missed + [(NOTHING, m) for clip in outcome.clips for m in outcome.false_alarms(clip)]


def numbers(units: Iterable[str]) -> dict[int, str]:
    """Unit number -> 'L', 'R' or '' (both sides).

    >>> numbers(["1", "L12", "R14", "L14"])
    {1: '', 12: 'L', 14: ''}
    """
    sides: dict[int, str] = {}
    for unit in units:
        side, number = re.fullmatch(r"([LR]?)(\d+)", unit.strip()).groups()  # type: ignore[union-attr]
        sides[int(number)] = side if sides.get(int(number), side) == side else ""
    return sides


def _numbers_of(pairs: Iterable[tuple[Movement, Movement]]) -> set[int]:
    return {number for pair in pairs for movement in pair for number in numbers(movement.units)}


def _tables(
    pairs: Sequence[tuple[Movement, Movement]], units: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Presence (S, N) true and decided."""
    true, decided = (
        np.array([[n in numbers(pair[k].units) for n in units] for pair in pairs], np.int64) for k in (0, 1)
    )
    return true.reshape(-1, len(units)), decided.reshape(-1, len(units))


def _scores(pairs: Sequence[tuple[Movement, Movement]], units: Sequence[int]) -> NDArray[np.float64]:
    """Probabilities (S, N); 0 for a unit that the model does not have."""
    rows = [[found.probabilities.get(f"AU{n:02d}", 0.0) for n in units] for _, found in pairs]
    return np.array(rows, np.float64).reshape(-1, len(units))


@dataclass(frozen=True, slots=True)
class SideScore:
    """One-sided movements: was the side right, where the unit was named at all?"""

    right: int
    wrong: int
    """The other side."""
    both: int
    """Named without a side."""
    invented: int
    """A side was given to a unit that moved on both."""
    two_sided: int
    """Units that moved on both sides and were named."""

    @property
    def accuracy(self) -> float:
        """Right of all one-sided ones that were named; nan where there were none."""
        named = self.right + self.wrong + self.both
        return self.right / named if named else float("nan")


def score_sides(outcome: Outcome) -> SideScore:
    """Over the units of the true positives that were named."""
    named = [
        (side, numbers(found.units)[number])
        for true, found in outcome.pairs
        for number, side in numbers(true.units).items()
        if number in numbers(found.units)
    ]
    one_sided = [(true, found) for true, found in named if true]
    right = sum(true == found for true, found in one_sided)
    both = sum(found == "" for _, found in one_sided)
    two_sided = [found for true, found in named if not true]
    return SideScore(right, len(one_sided) - right - both, both, sum(map(bool, two_sided)), len(two_sided))


@dataclass(frozen=True, slots=True)
class EmotionScore:
    """Emotions of the true positives, and spotting times recognition."""

    samples: int
    uf1: float
    uar: float
    strs: float


def score_emotions(outcome: Outcome, classes: Sequence[str] = EMOTIONS) -> EmotionScore:
    """UF1, UAR and STRS; movements whose true emotion is no class are left out of recognition."""
    pairs = [(t.emotion, f.emotion) for t, f in outcome.pairs if t.emotion in classes]
    code = {name: row for row, name in enumerate(classes)}
    true, called = [code[t] for t, _ in pairs], [code.get(f, -1) for _, f in pairs]
    truth = {clip.name: [m.emotion for m in clip.truth] for clip in outcome.clips}
    found = {clip.name: [m.emotion for m in clip.found] for clip in outcome.clips}
    product, recognition = strs(outcome.score, truth, found, classes)
    return EmotionScore(len(pairs), recognition, uar(true, called, len(classes)), product)
