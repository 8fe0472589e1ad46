"""How sure it is that a candidate is a facial movement of micro-expression length, 0..1.

The learned score is given by trees over the candidate's features, trained on generated movements
(`engine/scorer.py`, `training/spot_scorer.py`). The judged score, a product of fixed factors, needs no
training: it is the baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.errors import MicroauError
from ..engine.scorer import DEFAULT, Scorer, load_scorer, unexplained
from .candidate import Candidate
from .features import FEATURES

JUDGED, LEARNED = "judged", "learned"
USUAL_S = 0.16
"""Seconds; hardly any micro-expression is shorter from onset to offset (Yan et al. 2013: 170 ms)."""
LEAD_S = (0.3, 0.5)
"""Seconds of this face before the onset: too few, and what was going on looks like what began."""
UNKNOWN = 0.75
"""Share that a curve is taken to explain where there are too few samples to fit one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a movement must reach, and may not."""

    noise_factor: float
    """Times its noise."""
    least: float
    """Percent of OED."""
    largest: float
    """Percent of OED."""


def rater(scorer: str, limits: Limits, bundled: Scorer | None = None) -> Callable[[Candidate], float]:
    """The learned score of the bundle, or the one that microau ships; the judged one; or that of a file.

    bundled  what the model's bundle brought

    Raises MicroauError where the file cannot be read or asks for what is not measured.
    """
    if scorer == JUDGED:
        return lambda found: rate(found, limits)
    learned = (bundled or load_scorer(DEFAULT)) if scorer == LEARNED else load_scorer(Path(scorer))
    unknown = sorted(set(learned.names) - set(FEATURES))
    if unknown:
        raise MicroauError(f"{scorer}: asks for {unknown[0]}, which is not measured here; train it again")
    return lambda found: learned(found.features) * unexplained(found.features)


def rate(found: Candidate, limits: Limits) -> float:
    """The judged score: a product of factors, each from 0 to 1."""
    span, confounds = found.span, found.confounds
    stands_out = 1.5 * np.log(found.peak.strength / limits.noise_factor) + 1.2 * np.log(
        span.rise / limits.least
    )
    likely = 1 / (1 + np.exp(-stands_out))
    muscular = ramp(found.features["muscular"], 0.3, 0.6)
    alone = ramp(span.isolation, 0.3, 0.8)
    smooth = ramp(found.curve.explained if found.curve is not None else UNKNOWN, 0.6, 0.9)
    comes_back = ramp(span.returned, 0.4, 0.7)
    comes_back *= ramp(2.0 - span.returned, 0.1, 0.5)  # far below where it began: a longer movement ends
    small_enough = ramp(limits.largest - span.rise, 0.0, limits.largest / 3)
    unconfounded = (1 - confounds.blink) * (1 - 0.4 * confounds.head) * (1 - 0.5 * confounds.gaze)
    unconfounded *= (1 - 0.6 * confounds.speech) * (1 - 0.7 * confounds.swallow)
    return float(
        likely * muscular * alone * smooth * comes_back * small_enough * unconfounded
        * _in_time(span.offset - span.onset, found.features["lead"])
    )  # fmt: skip


def _in_time(duration: float, lead: float) -> float:
    """Whether it lasts as long as a micro-expression, and rest was seen before it."""
    return ramp(duration, 0.04, USUAL_S) * (0.5 + 0.5 * ramp(lead, *LEAD_S))


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, a line between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
