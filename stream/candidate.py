"""From a peak to a candidate: followed in time, with everything that speaks for or against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.motion import Motion
from .confounds import Confounds, blinking, look_for_confounds
from .curve import Curve, fit_curve
from .features import measure
from .peaks import Peak
from .span import Span, find_span
from .track_history import TrackHistory

Array = NDArray[np.float32]

LIDS_S = 0.08
"""Seconds before and after a shut eye in which the lids are on their way."""
SMOOTH_S = 0.010
"""Seconds, standard deviation of the average over time in which a rough onset and offset are looked for."""
BELIEVED = 0.6
"""Share of the course that a fitted curve must explain for its moments to be taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A short movement, before it is judged."""

    peak: Peak
    span: Span
    """Where it begins, peaks and ends."""
    curve: Curve | None
    onset: Motion
    apex: Motion
    offset: Motion
    moved: Array
    """(K, 2) from onset to apex, regions that took part, percent of OED."""
    confounds: Confounds
    features: Mapping[str, float]
    """By name, in plain units, as the scorer takes them."""


def follow(
    history: TrackHistory, shift: Array, peak: Peak, others: Sequence[Peak], longest: float, least: float
) -> Candidate | None:
    """The movement around a peak, followed by its weights; None where nothing rises there.

    shift    (n, K, 2) of the history, less what the head leaves
    others   peaks around it, this one may be among them
    longest  seconds from onset to offset at most
    least    percent of OED that it must rise
    """
    time, course = history.time, along(shift, peak)
    # A lid that has just blinked is no lid alone.
    quiet = quiet_times(history) if peak.channel == "face" else None
    span = find_span(time, smoothed(time, course), peak.moment, longest, quiet)
    # A pulse filter also answers, at half height, beside a movement: there nothing rises.
    if span is None or span.rise < least:
        return None
    curve = fit_curve(time, course, span.onset, span.apex, span.offset, longest)
    if curve is not None and curve.explained >= BELIEVED:
        span = replace(span, onset=curve.onset, apex=curve.apex, offset=curve.offset)
    return _describe(history, peak, others, span, curve)


def along(shift: Array, peak: Peak) -> Array:
    """(n,) displacement along the movement, in percent of OED of the region that moved most."""
    largest = float(np.hypot(peak.direction[:, 0], peak.direction[:, 1]).max())
    return np.asarray(np.tensordot(shift, peak.weights * largest, 2), np.float32)


def smoothed(time: NDArray[np.float64], course: Array) -> Array:
    """The course averaged over SMOOTH_S; at low rates it is left alone."""
    if len(time) < 3:
        return course
    sigma = SMOOTH_S / max(float(np.median(np.diff(time))), 1e-4)
    if sigma < 0.7:
        return course
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(course, reach, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), "valid"), np.float32)


def quiet_times(history: TrackHistory) -> NDArray[np.bool_]:
    """(n,) False during a blink and shortly before and after."""
    time, shut = history.time, blinking(history)
    near = np.searchsorted(time, [time[shut] - LIDS_S, time[shut] + LIDS_S])
    quiet = np.ones(len(time), bool)
    for low, high in near.T:
        quiet[low:high] = False
    return quiet


def _describe(
    history: TrackHistory, peak: Peak, others: Sequence[Peak], span: Span, curve: Curve | None
) -> Candidate:
    onset, apex, offset = (history.at(t) for t in (span.onset, span.apex, span.offset))
    moved = (apex.shift - onset.shift) * (np.abs(peak.direction).sum(axis=1) > 0)[:, None]
    confounds = look_for_confounds(history, peak.direction, onset.time, apex.time, offset.time, span.rise)
    features = measure(history, peak, others, span, curve, confounds)
    return Candidate(peak, span, curve, onset, apex, offset, moved, confounds, features)
