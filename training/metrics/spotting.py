"""Spotting: precision, recall and F1 over whole videos, pooled, and STRS, its product with recognition.

The rules of the Micro-Expression Grand Challenge: a found interval is right when its IoU with a true
one is at least 0.5, one to one; counts are added up over ALL videos before any ratio is taken, so
a video without predictions keeps its misses (the circulated script drops it, and takes the mean of
the precisions for the recall).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from ...engine.errors import MicroauError
from .emotion import UNLABELLED, uf1
from .intervals import Interval, Pair, match


@dataclass(frozen=True, slots=True)
class SpottingScore:
    """Counts over all videos, and which interval was counted for which."""

    tp: int
    fp: int
    fn: int
    pairs: dict[str, list[Pair]]
    """Video -> matched rows of its true and found lists."""

    @property
    def precision(self) -> float:
        """TP / (TP + FP); nan where nothing was found."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); nan where there was nothing to find."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); nan where there was nothing to find and nothing was found."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def score_spotting(
    truth: Mapping[str, Sequence[Interval]],
    found: Mapping[str, Sequence[Interval]],
    *,
    threshold: float = 0.5,
    unit: float = 1.0,
) -> SpottingScore:
    """Match the intervals of every video and add the counts up.

    truth      video -> its true intervals (first, last); a video without a movement has an empty list
    found      video -> the found ones; a video that is absent here counts as one with none found
    threshold  smallest IoU of a right one
    unit       1: frames, both ends counted; 0: seconds

    A video in `found` that `truth` does not know is a MicroauError: its false alarms would be lost.

    >>> score = score_spotting({"a": [(10, 30)], "b": [(5, 9)]}, {"a": [(12, 33), (70, 80)]})
    >>> score.tp, score.fp, score.fn, round(score.f1, 3)
    (1, 1, 1, 0.5)
    """
    unknown = sorted(set(found) - set(truth))
    if unknown:
        raise MicroauError(f"{unknown[0]}: movements were found in a video that has no truth; give it one")
    pairs = {video: match(rows, found.get(video, ()), threshold, unit) for video, rows in truth.items()}
    tp = sum(map(len, pairs.values()))
    n_truth = sum(map(len, truth.values()))
    n_found = sum(map(len, found.values()))
    return SpottingScore(tp, n_found - tp, n_truth - tp, pairs)


def strs(
    spotting: SpottingScore,
    truth: Mapping[str, Sequence[Hashable]],
    found: Mapping[str, Sequence[Hashable]],
    classes: Sequence[Hashable],
) -> tuple[float, float]:
    """Spot-then-recognise score: F1 of spotting times the F1 of the emotions of what was spotted.

        STRS = F1_spotting * UF1(emotions of the true positives)

    spotting  from `score_spotting`
    truth     video -> emotion of each true interval; one outside `classes` ('other') is left out of
              the recognition half, not of the spotting half
    found     video -> emotion of each found interval
    classes   the emotions that count, e.g. ('negative', 'positive', 'surprise')
    return    (STRS, UF1 of the true positives); 0, nan where nothing was spotted

    >>> spotted = score_spotting({"a": [(0, 9), (20, 29)]}, {"a": [(0, 9), (20, 29)]})
    >>> kinds = ("negative", "positive")
    >>> strs(spotted, {"a": ["negative", "positive"]}, {"a": ["negative", "negative"]}, kinds)
    (0.3333333333333333, 0.3333333333333333)
    """
    code = {name: row for row, name in enumerate(classes)}
    both = [(truth[v][p.truth], found[v][p.found]) for v, pairs in spotting.pairs.items() for p in pairs]
    kept = [(code[t], code.get(f, UNLABELLED)) for t, f in both if t in code]
    recognition = uf1([t for t, _ in kept], [f for _, f in kept], len(classes))
    return (spotting.f1 * recognition if kept else 0.0), recognition
