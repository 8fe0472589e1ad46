"""From a peak to a candidate: followed in time, with everything that speaks for or against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import explained
from ..engine.motion import Motion
from ..engine.regions import GROUP_OF, GROUPS
from .confounds import BLINK_DIP, Confounds, blinking, look_for_confounds, outside_motion, swallow_likeness
from .curve import Curve, fit_curve
from .peaks import MUSCLES, Peak
from .span import AFTER_S, BEFORE_S, Span, find_span
from .track_history import TrackHistory

Array = NDArray[np.float32]

LIDS_S = 0.08
"""Seconds before and after a shut eye in which the lids are on their way."""
SMOOTH_S = 0.010
"""Seconds, standard deviation of the average over time in which a rough onset and offset are looked for."""
RIVAL_S, EDGE_S = 1.2, 0.08
"""Seconds around a movement in which other peaks count, and beside it in which they are its own flanks."""
BELIEVED = 0.6
"""Share of the course that a fitted curve must explain for its moments to be taken."""


FEATURES = (
    "log_regions", "log_units", "log_rise", "log_noise", "muscular", "isolation", "returned", "duration",
    "rise_time", "steepness", "curve", "blink", "blink_near", "gaze", "speech", "swallow", "unrest", "head",
    "head_travel", "seen", "eyes", "mouth", "brow", "spread", "log_rate", "rivals", "lead",
)  # fmt: skip
"""What is measured of every candidate."""


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
    """The movement around a peak, followed along its own direction; None where nothing rises there.

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
    """(n,) displacement along the movement, in percent of OED of the region that moved most; regions
    count by what they tell: direction over variance.
    """
    weights = peak.direction / (peak.noise**2)[:, None]
    largest = float(np.hypot(peak.direction[:, 0], peak.direction[:, 1]).max())
    scale = largest / float((weights * peak.direction).sum())
    return np.asarray(np.tensordot(shift, weights, 2) * scale, np.float32)


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
    around = {"rivals": _rivals(peak, others, span), "lead": span.onset - float(history.time[0])}
    features = measure(history, peak, span, curve, confounds) | around
    return Candidate(peak, span, curve, onset, apex, offset, moved, confounds, features)


def measure(
    history: TrackHistory, peak: Peak, span: Span, curve: Curve | None, confounds: Confounds
) -> dict[str, float]:
    """What the scorer looks at. Seconds, percent of OED, shares; sizes as natural logarithms."""
    energy = (peak.direction**2).sum(axis=1)
    inside = history.between(span.onset, span.offset)
    took_part = energy > 0
    noise = float(np.sqrt((energy * peak.noise**2).sum() / energy.sum()))
    heads = np.stack([m.head for m in inside])
    rise_s, whole_s = span.apex - span.onset, span.offset - span.onset
    return {
        "log_regions": log(peak.regions),
        "log_units": log(peak.units),
        "log_rise": log(span.rise),
        "log_noise": log(noise),
        "muscular": explained(peak.direction, MUSCLES[peak.channel]),
        "isolation": span.isolation,
        "returned": min(max(span.returned, 0.0), 2.0),
        "duration": whole_s,
        "rise_time": rise_s,
        "steepness": log(max(rise_s, 0.005) / max(whole_s - rise_s, 0.005)),
        "curve": curve.explained if curve is not None else 0.0,
        "blink": confounds.blink,
        "blink_near": _blink_near(history, span),
        "gaze": confounds.gaze,
        "speech": confounds.speech,
        "swallow": swallow_likeness(peak.direction),
        "unrest": log(0.05 + outside_motion(history, span.onset, span.offset, took_part) / span.rise),
        "head": confounds.head,
        "head_travel": log(0.1 + float(np.ptp(heads, axis=0).max()) / span.rise),
        "seen": float(np.min([m.rest[took_part].min() for m in inside])),
        "eyes": _share(energy, "eye"),
        "mouth": _share(energy, "mouth", "chin"),
        "brow": _share(energy, "brow"),
        "spread": float(energy.sum() ** 2 / (energy**2).sum()) / len(energy),
        "log_rate": log(len(inside) / max(whole_s, 1e-3)),
    }  # fmt: skip


def log(value: float) -> float:
    """Natural logarithm, of no less than 0.01."""
    return float(np.log(max(value, 0.01)))


def _share(energy: Array, *groups: str) -> float:
    here = np.isin(GROUP_OF, [GROUPS.index(group) for group in groups])
    return float(energy[here].sum() / energy.sum())


def _rivals(peak: Peak, others: Sequence[Peak], span: Span) -> float:
    """Logarithm of the strength of the strongest other peak of its channel within RIVAL_S, over its own:
    speech makes peaks in a row.
    """
    strengths = [
        other.strength
        for other in others
        if other.channel == peak.channel
        and abs(other.moment - peak.moment) < RIVAL_S
        and not span.onset - EDGE_S <= other.moment <= span.offset + EDGE_S
    ]
    return float(np.log(0.05 + max(strengths, default=0.0) / peak.strength))


def _blink_near(history: TrackHistory, span: Span) -> float:
    """How far the lids fell around the movement, in times of what makes a blink, 0..2."""
    gaps, time = history.lids[:, 0], history.time
    near = (time >= span.onset - BEFORE_S / 3) & (time <= span.offset + AFTER_S / 3)
    return float(np.clip((1 - gaps[near].min() / max(float(np.median(gaps)), 1e-6)) / BLINK_DIP, 0, 2))
