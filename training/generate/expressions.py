"""Expressions at random: which units move together, on which side, how far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from . import timing
from .anatomy import FULL, MIDLINE, split
from .fields import FieldsOf
from .scenario import Course, Movement
from .timing import Curve

COMBINATIONS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((4,), 14), ((4, 7), 9), ((1, 2), 8), ((12,), 9), ((6, 12), 6), ((14,), 9), ((7,), 5), ((1,), 4),
    ((2,), 4), ((15,), 5), ((17,), 5), ((15, 17), 3), ((1, 4), 2), ((1, 2, 4), 2), ((4, 15), 1.5),
    ((4, 17), 1.5), ((9,), 4), ((4, 9), 2), ((4, 7, 9), 1.5), ((10,), 4), ((4, 7, 10), 1.5),
    ((5,), 3), ((1, 2, 5), 2.5), ((6,), 3), ((6, 7), 1), ((12, 14), 1.5), ((12, 25), 2), ((20,), 3),
    ((23,), 3), ((24,), 3.5), ((17, 24), 2), ((4, 23), 1), ((25,), 4), ((26,), 2.5), ((25, 26), 2),
    ((1, 2, 25, 26), 1.5), ((4, 12), 1), ((14, 24), 1), ((7, 10), 1), ((20, 25), 1),
)  # fmt: skip
"""Units that move together and how often, relative: after the counts of the pooled data sets (4 first,
then 1, 2, 14, 7, 12), with the rarer units raised so that each is seen."""

ONE_SIDED: Mapping[int, float] = {
    1: 0.1, 2: 0.25, 4: 0.1, 5: 0.1, 6: 0.15, 7: 0.15, 9: 0.15, 10: 0.3, 12: 0.35, 14: 0.6, 15: 0.25,
    20: 0.15,
}  # fmt: skip
"""Probability that a unit alone moves on one side only (judged; 14 and 12 are known for it)."""


def expression(
    rng: np.random.Generator, fields: FieldsOf, curve: Curve, amplitude: float, kind: str = "micro"
) -> Movement:
    """Units at random whose largest displacement at the apex is `amplitude` percent OED.

    Less only where nothing drawn reaches it: a lid cannot move as far as a mouth corner.
    """
    draws = [sided(rng, draw_units(rng)) for _ in range(TRIES)]
    able = next((peaks for peaks in draws if strongest(fields, peaks) >= amplitude), None)
    peaks = able or max(draws, key=lambda peaks: strongest(fields, peaks))
    return with_amplitude(fields, curve, peaks, min(amplitude, strongest(fields, peaks)), kind)


TRIES = 25
"""Draws of units before an amplitude is given up."""
BEYOND = 1.2
"""What a strong face does more than the full strength of the sculpted shapes."""


def strongest(fields: FieldsOf, peaks: Iterable[str]) -> float:
    """How far the most moved landmark can go when these channels do their utmost, percent OED."""
    return BEYOND * displacement(fields, {name: FULL[split(name)[0]] for name in peaks})


def draw_units(rng: np.random.Generator) -> tuple[int, ...]:
    """Units that move together, as often as in COMBINATIONS."""
    weights = np.array([w for _, w in COMBINATIONS])
    return COMBINATIONS[int(rng.choice(len(COMBINATIONS), p=weights / weights.sum()))][0]


def sided(rng: np.random.Generator, units: tuple[int, ...]) -> dict[str, float]:
    """Relative strength of each channel of these units, one- or two-sided by their habit."""
    able = [au for au in units if au in ONE_SIDED]
    lone = bool(able) and rng.random() < float(np.mean([ONE_SIDED[au] for au in able]))
    side = "LR"[int(rng.integers(2))]
    peaks: dict[str, float] = {}
    for au in units:
        strength = FULL[au] * float(rng.lognormal(0, 0.25))
        if au in MIDLINE:
            peaks[f"{au}"] = strength
            continue
        tilt = float(np.clip(rng.normal(0, 0.13), -0.3, 0.3))  # no face is symmetric
        both = {"L": strength * (1 + tilt), "R": strength * (1 - tilt)}
        peaks |= {f"{au}{s}": a for s, a in both.items() if not lone or s == side}
    return peaks


def with_amplitude(
    fields: FieldsOf, curve: Curve, peaks: Mapping[str, float], amplitude: float, kind: str = "micro"
) -> Movement:
    """The movement scaled so that the most moved landmark moves by `amplitude` percent OED."""
    factor = amplitude / displacement(fields, peaks)
    return Movement(curve, {n: a * factor for n, a in peaks.items()}, kind, amplitude)


def from_course(fields: FieldsOf, curve: Curve, course: Course, amplitude: float, kind: str) -> Movement:
    """The recorded course, about as long as the curve and scaled to the amplitude at its own apex."""
    sizes = [
        displacement(fields, dict(zip(course.names, row.tolist(), strict=True))) for row in course.values
    ]
    apex = int(np.argmax(sizes))
    amplitude = min(amplitude, strongest(fields, course.names))
    scaled = Course(course.names, course.values * (amplitude / sizes[apex]))
    share, length = apex / (len(sizes) - 1), curve.offset - curve.onset
    if kind == "micro":
        length = float(np.clip(length, timing.RISE_SHORTEST / share, timing.RISE_LONGEST / share))
        length = min(length, timing.LONGEST)
    moments = Curve(curve.onset, curve.onset + length * share, curve.onset + length)
    peaks = dict(zip(course.names, scaled.values[apex].tolist(), strict=True))
    alone = {name: abs(peak) for name, peak in peaks.items()}  # a channel's own largest movement
    kept = {n: p for n, p in peaks.items() if p > 0 and alone[n] >= NOTICED * max(alone.values())}
    return Movement(moments, kept, kind, amplitude, scaled)


NOTICED = 0.2
"""A channel of a recording is named in the truth from this share of the largest on."""


def displacement(fields: FieldsOf, peaks: Mapping[str, float]) -> float:
    """Largest displacement of a landmark in the picture plane, percent OED."""
    total = sum(a * fields[n][:, :2] for n, a in peaks.items())
    return float(np.linalg.norm(total, axis=1).max())
