"""What is measured of every candidate movement, by name: what the scorer looks at.

Seconds, shares, and sizes as natural logarithms, so that twice is the same step everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import UNIT_MOTIONS, UNIT_NAMES, explained
from ..engine.regions import GROUP_OF, GROUPS, members
from .confounds import BLINK_DIP, Confounds, outside_motion, swallow_likeness
from .curve import Curve
from .peaks import FACE, MUSCLES, Peak
from .span import AFTER_S, BEFORE_S, Span
from .track_history import K, TrackHistory

Array = NDArray[np.float32]

RIVAL_S, EDGE_S = 1.2, 0.08
"""Seconds around a movement in which other peaks count, and beside it in which they are its own flanks."""
LIKE = (*((number,) for number in dict.fromkeys(name.rstrip("LR") for name in UNIT_NAMES)), ("1", "2"))
"""Units that a candidate is likened to: some are moved in speech, some hardly by anything else."""
BONE = members("still")


def _pattern(units: Sequence[str]) -> Array:
    """(K, 2) of both sides of some units together, of length 1."""
    whole = sum(UNIT_MOTIONS[n] for n, name in enumerate(UNIT_NAMES) if name.rstrip("LR") in units)
    return np.asarray(whole / np.linalg.norm(whole), np.float32)


PATTERNS: Mapping[str, Array] = {"like_" + "_".join(units): _pattern(units) for units in LIKE}

FEATURES = (
    "log_regions", "log_units", "log_rise", "log_noise", "muscular", "isolation", "returned", "duration",
    "rise_time", "steepness", "curve", "blink", "blink_near", "gaze", "speech", "swallow", "unrest", "head",
    "head_travel", "seen", "bone", "others", "parts", "eyes", "mouth", "brow", "spread", "log_rate",
    "rivals", "lead", "coherence", "by_units", *PATTERNS,
)  # fmt: skip
"""In the order of `measure`."""


def measure(
    history: TrackHistory,
    peak: Peak,
    others: Sequence[Peak],
    span: Span,
    curve: Curve | None,
    confounds: Confounds,
) -> dict[str, float]:
    """All FEATURES of one candidate."""
    energy = (peak.direction**2).sum(axis=1)
    return (
        _strength(peak, span, energy)
        | _form(span, curve)
        | _disturbed(history, peak, span, confounds, energy > 0)
        | _company(history, peak, span)
        | _place(energy)
        | {
            "log_rate": log(len(history.between(span.onset, span.offset)) / _length(span)),
            "rivals": _rivals(peak, others, span),
            "lead": span.onset - float(history.time[0]),
            "coherence": peak.coherence,
            "by_units": float(peak.kind == "units"),
        }
        | _likeness(peak)
    )


def log(value: float) -> float:
    """Natural logarithm, of no less than 0.01."""
    return float(np.log(max(value, 0.01)))


def _length(span: Span) -> float:
    return max(span.offset - span.onset, 1e-3)


def _strength(peak: Peak, span: Span, energy: Array) -> dict[str, float]:
    """How far it stands out, and whether muscles could do it."""
    return {
        "log_regions": log(peak.regions),
        "log_units": log(peak.units),
        "log_rise": log(span.rise),
        "log_noise": log(float(np.sqrt((energy * peak.noise**2).sum() / energy.sum()))),
        "muscular": explained(peak.direction, MUSCLES[peak.channel]),
    }


def _form(span: Span, curve: Curve | None) -> dict[str, float]:
    """Its course, by its moments."""
    rise_s, whole_s = span.apex - span.onset, span.offset - span.onset
    return {
        "isolation": span.isolation,
        "returned": min(max(span.returned, 0.0), 2.0),
        "duration": whole_s,
        "rise_time": rise_s,
        "steepness": log(max(rise_s, 0.005) / max(whole_s - rise_s, 0.005)),
        "curve": curve.explained if curve is not None else 0.0,
    }


def _disturbed(
    history: TrackHistory, peak: Peak, span: Span, confounds: Confounds, took_part: NDArray[np.bool_]
) -> dict[str, float]:
    """What else would explain it."""
    inside = history.between(span.onset, span.offset)
    heads = np.stack([m.head for m in inside])
    outside = outside_motion(history, span.onset, span.offset, took_part)
    return {
        "blink": confounds.blink,
        "blink_near": _blink_near(history, span),
        "gaze": confounds.gaze,
        "speech": confounds.speech,
        "swallow": swallow_likeness(peak.direction),
        "unrest": log(0.05 + outside / span.rise),
        "head": confounds.head,
        "head_travel": log(0.1 + float(np.ptp(heads, axis=0).max()) / span.rise),
        "seen": float(np.min([m.rest[took_part].min() for m in inside])),
    }


def _company(history: TrackHistory, peak: Peak, span: Span) -> dict[str, float]:
    """What moves along: bone, which no muscle moves, and the regions that had no part in it."""
    onset, apex = history.at(span.onset), history.at(span.apex)
    moved = np.hypot(*(apex.shift - onset.shift).T)  # (K,)
    took_part = np.abs(peak.direction).sum(axis=1) > 0
    idle = np.setdiff1d(FACE, np.flatnonzero(took_part))
    over_noise = float(np.median(moved[idle] / peak.noise[idle])) if len(idle) else 0.0
    return {
        "bone": log(float(np.sqrt((moved[BONE] ** 2).mean())) / span.rise),
        "others": log(over_noise),
        "parts": float(took_part.sum()) / K,
    }


def _place(energy: Array) -> dict[str, float]:
    """Where on the face."""
    return {
        "eyes": _share(energy, "eye"),
        "mouth": _share(energy, "mouth", "chin"),
        "brow": _share(energy, "brow"),
        "spread": float(energy.sum() ** 2 / (energy**2).sum()) / len(energy),
    }


def _share(energy: Array, *groups: str) -> float:
    here = np.isin(GROUP_OF, [GROUPS.index(group) for group in groups])
    return float(energy[here].sum() / energy.sum())


def _likeness(peak: Peak) -> dict[str, float]:
    """Cosines between the movement and those of LIKE."""
    length = float(np.linalg.norm(peak.direction))
    return {name: float((peak.direction * pattern).sum()) / length for name, pattern in PATTERNS.items()}


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
