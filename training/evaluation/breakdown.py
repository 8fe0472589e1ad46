"""A matched evaluation taken apart: by amplitude, rate, confound and unit; causes, timing, thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..metrics.intervals import iou_matrix
from .spotting import Clip, Movement, Outcome, keep_found, score_clips

AMPLITUDES = ((0.0, 0.8), (0.8, 1.5), (1.5, 2.5), (2.5, 4.0), (4.0, float("inf")))
"""Percent of the outer-eye-corner distance: the bins of the table by amplitude."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of counts."""

    name: str
    true: int
    tp: int
    fp: int
    minutes: float = float("nan")
    """Footage behind the row; nan where it cannot be told apart."""

    @property
    def recall(self) -> float:
        return _ratio(self.tp, self.true)

    @property
    def precision(self) -> float:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.tp, self.true + self.tp + self.fp)

    @property
    def fp_per_minute(self) -> float:
        return _ratio(self.fp, self.minutes)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def row_of(name: str, outcome: Outcome, clips: Iterable[Clip]) -> Row:
    """Counts over some of the clips."""
    kept = list(clips)
    tp = sum(len(outcome.score.pairs[c.name]) for c in kept)
    found = sum(len(c.found) for c in kept)
    minutes = sum(c.duration_s for c in kept) / 60
    return Row(name, sum(len(c.truth) for c in kept), tp, found - tp, minutes)


def by_rate(outcome: Outcome) -> list[Row]:
    """One row per nominal frame rate."""
    rates = sorted({clip.rate for clip in outcome.clips})
    return [row_of(f"{r:g} fps", outcome, (c for c in outcome.clips if c.rate == r)) for r in rates]


def by_confound(outcome: Outcome) -> list[Row]:
    """One row per kind of confound over the clips that have it (one clip may stand in several)."""
    kinds = sorted({x.kind for clip in outcome.clips for x in clip.confounds})
    rows = [row_of("none", outcome, (c for c in outcome.clips if not c.confounds))]
    for kind in kinds:
        rows.append(row_of(kind, outcome, (c for c in outcome.clips if _has(c, kind))))
    return [row for row in rows if row.minutes]


def _has(clip: Clip, kind: str) -> bool:
    return any(x.kind == kind for x in clip.confounds)


def by_amplitude(outcome: Outcome, bins: Sequence[tuple[float, float]] = AMPLITUDES) -> list[Row]:
    """One row per range of true amplitude, in percent of the eye distance.

    A false alarm has no true amplitude: it counts in the row of the true movement nearest to it in
    time; those in videos without one are left out here (`event_free` has them).
    """
    true, tp, fp = Counter[int](), Counter[int](), Counter[int]()
    for clip in outcome.clips:
        true.update(_bin(m, bins) for m in clip.truth)
        tp.update(_bin(clip.truth[p.truth], bins) for p in outcome.score.pairs[clip.name])
        fp.update(_bin(_nearest(m, clip.truth), bins) for m in outcome.false_alarms(clip) if clip.truth)
    rows = [Row(f"{low:g}-{high:g} %", true[i], tp[i], fp[i]) for i, (low, high) in enumerate(bins)]
    return [row for row in rows if row.true]


def by_unit(outcome: Outcome) -> list[Row]:
    """Recall of the movements that show each unit; a false alarm belongs to no unit."""
    true, tp = Counter[int](), Counter[int]()
    for clip in outcome.clips:
        found = {pair.truth for pair in outcome.score.pairs[clip.name]}
        for place, movement in enumerate(clip.truth):
            true.update(movement.numbers)
            tp.update(movement.numbers if place in found else ())
    return [Row(f"AU{number}", true[number], tp[number], 0) for number in sorted(true)]


def _bin(movement: Movement, bins: Sequence[tuple[float, float]]) -> int:
    inside = (i for i, (low, high) in enumerate(bins) if low <= movement.amplitude < high)
    return next(inside, -1)


def _nearest(movement: Movement, others: Sequence[Movement]) -> Movement:
    return min(others, key=lambda other: abs(other.apex_s - movement.apex_s))


def event_free(outcome: Outcome) -> Row:
    """False alarms in the clips that hold no micro-expression."""
    return row_of("event-free clips", outcome, (c for c in outcome.clips if not c.truth))


def causes(outcome: Outcome) -> dict[str, int]:
    """What was going on when a false alarm was raised, most frequent first.

    'badly timed': it overlaps a true movement that nothing else was matched with; 'twice': one that
    was matched already; else the confounds of the truth that overlap it, else 'nothing'.
    """
    reasons = Counter[str]()
    for clip in outcome.clips:
        for alarm in outcome.false_alarms(clip):
            reasons.update(_reasons(alarm, clip, outcome.missed(clip)))
    return dict(reasons.most_common())


def _reasons(alarm: Movement, clip: Clip, missed: Sequence[Movement]) -> list[str]:
    if _overlaps(alarm, missed):
        return ["badly timed"]
    if _overlaps(alarm, clip.truth):
        return ["twice"]
    during = {x.kind for x in clip.confounds if x.onset_s <= alarm.offset_s and alarm.onset_s <= x.offset_s}
    return sorted(during) or ["nothing"]


def _overlaps(movement: Movement, others: Sequence[Movement]) -> bool:
    return bool((iou_matrix([movement.frames], [m.frames for m in others]) > 0).any())


@dataclass(frozen=True, slots=True)
class Timing:
    """Errors of one moment over the true positives, milliseconds, found minus true."""

    moment: str
    median: float
    """Signed: above 0 means late."""
    median_abs: float
    p90_abs: float


def timing(outcome: Outcome) -> list[Timing]:
    """Onset, apex and offset errors of the true positives; empty where there are none."""
    pairs = outcome.pairs
    if not pairs:
        return []
    return [_timing(moment, pairs) for moment in ("onset", "apex", "offset")]


def _timing(moment: str, pairs: Sequence[tuple[Movement, Movement]]) -> Timing:
    key = f"{moment}_s"
    error = 1000 * np.array([getattr(found, key) - getattr(true, key) for true, found in pairs])
    size = np.abs(error)
    return Timing(moment, float(np.median(error)), float(np.median(size)), float(np.quantile(size, 0.9)))


def threshold_curve(clips: Sequence[Clip], steps: Sequence[float]) -> list[tuple[float, Row]]:
    """Counts when only movements of at least each score are kept, to see what a threshold costs.

    The best line of this table was picked on the very clips it is measured on: it is an upper bound.
    """
    rows = []
    for step in steps:
        outcome = score_clips(keep_found(clips, partial(_reaches, step)))
        rows.append((step, row_of(f">= {step:g}", outcome, outcome.clips)))
    return rows


def _reaches(least: float, movement: Movement) -> bool:
    return movement.score >= least
