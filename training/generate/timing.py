"""How a movement runs in time: a quick rise to the apex, a slower fall, no jerk at either end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHORTEST, LONGEST = 0.170, 0.500
"""Seconds from onset to offset of a micro-expression (Yan et al. 2013)."""
RISE_SHORTEST, RISE_LONGEST = 0.065, 0.260
"""Seconds from onset to apex (Yan et al. 2013)."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Share of the peak over time: 0 up to the onset, 1 at the apex, 0 from the offset on."""

    onset: float
    """Seconds."""
    apex: float
    """Seconds; the first instant at the full peak."""
    offset: float
    """Seconds."""
    hold: float = 0.0
    """Seconds for which the apex is held."""
    rise: float = 1.0
    """Below 1: starts sharply; above 1: starts softly."""
    fall: float = 1.0
    """Below 1: falls at once and fades slowly; above 1: lingers first."""

    def __post_init__(self) -> None:
        if not self.onset < self.apex <= self.apex + self.hold < self.offset:
            raise ValueError(f"onset {self.onset}, apex {self.apex}, offset {self.offset}: out of order")

    def at(self, time: float) -> float:
        """Share of the peak at a time in seconds.

        >>> curve = Curve(1.0, 1.1, 1.4)
        >>> [round(curve.at(t), 3) for t in (0.9, 1.05, 1.1, 1.4)]
        [0.0, 0.5, 1.0, 0.0]
        """
        if time <= self.onset or time >= self.offset:
            return 0.0
        if time < self.apex:
            share = (time - self.onset) / (self.apex - self.onset)
            return _raised_cosine(share**self.rise)
        if time <= self.apex + self.hold:
            return 1.0
        share = (self.offset - time) / (self.offset - self.apex - self.hold)
        return _raised_cosine(1 - (1 - share) ** self.fall)


def _raised_cosine(share: float) -> float:
    return 0.5 - 0.5 * math.cos(math.pi * share)


def micro(rng: np.random.Generator, onset: float) -> Curve:
    """A micro-expression: total 170-500 ms, rise 65-260 ms (median about 120), mostly a slower fall."""
    while True:
        rise = float(np.clip(rng.lognormal(math.log(0.12), 0.35), RISE_SHORTEST, RISE_LONGEST))
        hold = float(rng.uniform(0, 0.04))
        total = rise * (1 + float(rng.lognormal(math.log(1.5), 0.35))) + hold
        if SHORTEST <= total <= LONGEST and total - rise - hold > 0.05:
            break
    shape = rng.uniform(0.85, 1.25, 2)
    return Curve(onset, onset + rise, onset + total, hold, float(shape[0]), float(shape[1]))


def macro(rng: np.random.Generator, onset: float) -> Curve:
    """An ordinary expression: 0.6-3 s, held."""
    total = float(np.clip(rng.lognormal(math.log(1.2), 0.45), 0.6, 3.0))
    rise = float(rng.uniform(0.2, 0.35)) * min(total, 1.5)
    fall = float(rng.uniform(0.25, 0.45)) * min(total, 1.8)
    return Curve(onset, onset + rise, onset + total, max(total - rise - fall, 0.0))


def blink(rng: np.random.Generator, onset: float) -> Curve:
    """Eyes shut within a third of the time: 150-300 ms in all."""
    total = float(rng.uniform(0.15, 0.30))
    return Curve(onset, onset + total * float(rng.uniform(0.3, 0.4)), onset + total, total * 0.08, 1.0, 0.8)
