"""Onset, apex and offset on a course: where it leaves its rest, peaks, and is back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Times = NDArray[np.float64]

NEAR_S = 0.16
"""Seconds around a peak of the pulse filter in which the apex lies."""
CLIMBS = 0.25
"""Share of the whole height by which the course must climb again to end a valley."""
LEAVES = 0.12
"""Share of the rise below which the course counts as at rest."""
RISE_FOOT, FALL_FOOT = 0.65, 0.4
"""The foot lies this much farther than LEAVES, in times from half height to LEAVES: 0.8 on a sine's rise,
less where noise hides the end of a slow decay (tuned on generated clips)."""
LEVEL, LEVEL_S = 0.06, 0.06
"""A course that falls by less than this share of its height in so many seconds is at rest."""
TOP = 0.97
"""The apex is where the course first reaches this share of its rise: a held expression has a flat top."""
BEFORE_S, AFTER_S = 0.45, 0.28
"""Seconds of context that should be still around a movement of its own."""


@dataclass(frozen=True, slots=True)
class Span:
    """A movement on its course; times in seconds."""

    onset: float
    apex: float
    offset: float
    rise: float
    """Percent of OED, from the level before to the apex."""
    returned: float
    """Share of the rise that was gone at the offset."""
    isolation: float
    """0..1: 1 where the course is still just before and after, 0 where it moves as much as inside."""


def find_span(
    time: Times, course: Array, moment: float, longest: float, quiet: NDArray[np.bool_] | None = None
) -> Span | None:
    """The movement around a moment; None where the course does not rise there.

    time     (n,) seconds
    course   (n,) displacement along the movement's own direction, percent of OED
    longest  seconds that onset and offset may lie from the apex
    quiet    (n,) False where something known, a blink, moves the face: no reason to doubt a movement
             beside it
    """
    near = np.flatnonzero(np.abs(time - moment) <= NEAR_S)
    if len(near) < 2:
        return None
    top = int(near[course[near].argmax()])
    before = np.flatnonzero((time >= time[top] - longest) & (time <= time[top]))[::-1]
    after = np.flatnonzero((time >= time[top]) & (time <= time[top] + longest))
    valley, low = _rest(time[before], course[before])
    hill, high = _rest(time[after], course[after])
    rise = float(course[top] - low)
    if rise <= 0:
        return None
    onset = _foot(time[before[: valley + 1]], course[before[: valley + 1]], low, RISE_FOOT)
    # A drift may carry the course below where it came from: it is back when it is back there.
    offset = _foot(time[after[: hill + 1]], course[after[: hill + 1]], max(low, high), FALL_FOOT)
    return Span(
        onset,
        _apex(time, course, onset, top, low + TOP * rise),
        offset,
        rise,
        float(course[top] - high) / rise,
        _isolation(time, course, onset, offset, rise, np.ones(len(time), bool) if quiet is None else quiet),
    )


def _rest(time: Times, values: Array) -> tuple[int, float]:
    """Where the way from the apex comes to rest: (index, level).

    At the first valley before the course climbs again, or where it first stays level for a while: what
    else the face did before, a blink say, is not part of this movement.
    """
    climb = CLIMBS * float(values[0] - values.min())
    lowest = 0
    for i, value in enumerate(values):
        if value < values[lowest]:
            lowest = i
        elif value > values[lowest] + climb:
            break
        height = float(values[0] - value)
        ahead = values[i:][np.abs(time[i:] - time[i]) <= LEVEL_S]
        if height > 2 * climb and len(ahead) > 2 and value - ahead.min() < LEVEL * height:
            lowest = i + int(ahead.argmin())
            break
    return lowest, float(values[lowest])


def _foot(time: Times, values: Array, level: float, beyond: float) -> float:
    """Time at which the way from the apex (first) to the valley (last) is at rest."""
    peak = float(values[0])
    leaves = _crossing(time, values, level + LEAVES * (peak - level))
    half = _crossing(time, values, level + 0.5 * (peak - level))
    # A movement begins and ends softly: its foot lies beyond the point where it can be seen.
    first, last = sorted((float(time[0]), float(time[-1])))
    return min(max(leaves + beyond * (leaves - half), first), last)


def _crossing(time: Times, values: Array, line: float) -> float:
    """Time at which the values first lie under the line, between samples."""
    under = np.flatnonzero(values <= line)
    i = int(under[0]) if len(under) else len(values) - 1
    if i == 0:
        return float(time[0])
    step = float(values[i - 1] - values[i])
    share = float(values[i - 1] - line) / step if step > 0 else 1.0
    return float(time[i - 1] + min(share, 1.0) * (time[i] - time[i - 1]))


def _apex(time: Times, course: Array, onset: float, top: int, line: float) -> float:
    first = int(np.searchsorted(time, onset))
    high = np.flatnonzero(course[first : top + 1] >= line)
    return float(time[first + high[0]]) if len(high) else float(time[top])


def _isolation(
    time: Times, course: Array, onset: float, offset: float, rise: float, quiet: NDArray[np.bool_]
) -> float:
    before = course[(time >= onset - BEFORE_S) & (time < onset) & quiet]
    after = course[(time > offset) & (time <= offset + AFTER_S) & quiet]
    return float(np.clip(1 - max(_unrest(before), _unrest(after)) / rise, 0, 1))


def _unrest(values: Array) -> float:
    """Range of the values about their own straight line: drift is not unrest."""
    if len(values) < 3:
        return 0.0
    place = np.linspace(-1, 1, len(values))
    straight = values.mean() + place * float((place * values).sum() / (place**2).sum())
    low, high = np.quantile(values - straight, (0.05, 0.95))
    return float(high - low)
