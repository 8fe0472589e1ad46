"""Found movements against true ones: what was found, missed and made up.

in    Clip     one video: its true movements and what was found in it
out   Outcome  all clips, matched: F1 at IoU 0.5 pooled over videos; `breakdown` makes the tables

Only movements of micro-expression length count. A longer one that the truth knows ("macro") is no
target: found as a micro-expression it is a false alarm, and named as one on a macro movement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ..metrics.bootstrap import Estimate, bootstrap
from ..metrics.spotting import SpottingScore, score_spotting


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement in time, true or found."""

    onset: int
    apex: int
    offset: int
    """Frames of the video, from 0 in decode order."""
    onset_s: float
    apex_s: float
    offset_s: float
    """Seconds since the first frame."""
    units: tuple[str, ...] = ()
    """Action units with the side where one side alone moved: '1', 'L12'."""
    emotion: str = ""
    amplitude: float = float("nan")
    """Percent of the outer-eye-corner distance; nan where not known."""
    score: float = float("nan")
    """0..1, found movements only."""
    flags: tuple[str, ...] = ()
    """Found movements: confounds named by the spotter."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """Found movements: 'AU01' -> 0..1."""

    @property
    def frames(self) -> tuple[int, int]:
        return self.onset, self.offset

    @property
    def numbers(self) -> frozenset[int]:
        """FACS numbers of the units, without sides."""
        return frozenset(int(unit.strip().lstrip("LR")) for unit in self.units)


@dataclass(frozen=True, slots=True)
class Confound:
    """Something else that happened, and when: a blink, speech, a macro movement, a dropped frame."""

    kind: str
    onset_s: float = float("-inf")
    offset_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Clip:
    """One video with its truth and what was found in it."""

    name: str
    subject: str
    rate: float
    """Nominal frames per second, to sort by; no time is computed from it."""
    duration_s: float
    truth: tuple[Movement, ...]
    """Micro-expressions alone."""
    confounds: tuple[Confound, ...] = ()
    found: tuple[Movement, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """All clips, matched."""

    clips: tuple[Clip, ...]
    score: SpottingScore

    @property
    def pairs(self) -> list[tuple[Movement, Movement]]:
        """(true, found) of every true positive."""
        found = self.score.pairs
        return [(c.truth[p.truth], c.found[p.found]) for c in self.clips for p in found[c.name]]

    def missed(self, clip: Clip) -> list[Movement]:
        """True movements of a clip that nothing was matched with."""
        hit = {p.truth for p in self.score.pairs[clip.name]}
        return [m for i, m in enumerate(clip.truth) if i not in hit]

    def false_alarms(self, clip: Clip) -> list[Movement]:
        """Found movements of a clip that match no true one."""
        used = {p.found for p in self.score.pairs[clip.name]}
        return [m for i, m in enumerate(clip.found) if i not in used]


def score_clips(clips: Iterable[Clip], threshold: float = 0.5) -> Outcome:
    """Match every clip; IoU over frames, both ends counted."""
    kept = tuple(clips)
    truth = {clip.name: [m.frames for m in clip.truth] for clip in kept}
    found = {clip.name: [m.frames for m in clip.found] for clip in kept}
    return Outcome(kept, score_spotting(truth, found, threshold=threshold))


def keep_found(clips: Iterable[Clip], keep: Callable[[Movement], bool]) -> list[Clip]:
    """The clips with fewer found movements, e.g. those above a score or without a flag."""
    return [replace(clip, found=tuple(filter(keep, clip.found))) for clip in clips]


def f1_interval(outcome: Outcome, draws: int = 500) -> Estimate:
    """F1 with its 95 % interval over subjects."""
    tp, found, true = (
        np.array(column)
        for column in zip(
            *((len(outcome.score.pairs[c.name]), len(c.found), len(c.truth)) for c in outcome.clips),
            strict=True,
        )
    )

    def f1(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
        whole = int(found[rows].sum() + true[rows].sum())
        return 2 * int(tp[rows].sum()) / whole if whole else float("nan")

    return bootstrap(f1, [clip.subject for clip in outcome.clips], draws)
