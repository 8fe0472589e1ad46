"""Scenarios at random: who does what, when, and what else happens meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import timing
from .expressions import expression, from_course
from .fields import FieldsOf
from .scenario import Blink, Course, Glance, Movement, Nod, Scenario, Talk, Wave
from .state import Head
from .timing import Curve

CONFOUNDS = ("blink", "gaze", "sway", "nod", "speech", "swallow", "macro")
"""What people do besides."""
Excerpts = Callable[[np.random.Generator, str], Course]
"""(dice, 'micro' or 'macro') -> a course of any size, of that kind's shape in time."""
FROM_RECORDING = 0.4
"""Share of the movements that follow a recording where there is one."""


VISEMES: tuple[Mapping[str, float], ...] = (
    {"24": 2.0, "17": 0.6},
    {"26": 8.0, "25": 2.5},
    {"26": 3.5, "25": 2.0, "20L": 2.0, "20R": 2.0},
    {"26": 2.5, "18": 3.5, "25": 1.0},
    {"16L": -1.0, "16R": -1.0, "25": 1.0},
    {"26": 4.5, "25": 2.0},
    {"25": 2.5, "16L": 1.5, "16R": 1.5},
)
"""Mouth shapes of speech: percent OED of each channel."""


def random_scenario(
    rng: np.random.Generator,
    fields: FieldsOf,
    duration: float = 6.0,
    *,
    events: int = 2,
    amplitude: tuple[float, float] = (0.8, 4.0),
    confounds: Sequence[str] = CONFOUNDS,
    recorded: Excerpts | None = None,
) -> Scenario:
    """A clip at random.

    fields      of the face that will act, for the amplitude
    events      micro-expressions wanted; as many as fit
    amplitude   percent OED of the largest displacement, drawn evenly on a logarithmic scale
    confounds   which of CONFOUNDS may happen
    recorded    gives the course of movements of a wanted kind from a recording; some are taken from it
    """
    return _Dice(rng, fields, duration, recorded).scenario(events, amplitude, set(confounds))


@dataclass(slots=True)
class _Dice:
    """What is drawn so far: remembers which stretches of time are taken."""

    rng: np.random.Generator
    fields: FieldsOf
    duration: float
    recorded: Excerpts | None = None
    taken: list[tuple[float, float]] = field(default_factory=list)

    def scenario(self, events: int, amplitude: tuple[float, float], confounds: set[str]) -> Scenario:
        movements = self._micros(events, amplitude)
        talks: list[Talk] = []
        if "macro" in confounds and self._happens(0.5):
            movements += self._macro()
        if "speech" in confounds and self._happens(0.4):
            talks += self._speech()
        if "swallow" in confounds and self._happens(0.25):
            talks += self._swallow()
        return Scenario(
            self.duration,
            tuple(sorted(movements, key=lambda m: m.curve.onset)),
            self._blinks() if "blink" in confounds else (),
            self._glances() if "gaze" in confounds else (),
            self._sway() if "sway" in confounds else (),
            self._nods() if "nod" in confounds else (),
            tuple(talks),
        )

    def _happens(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _free(self, length: float, margin: float) -> float | None:
        """A start for something that long, `margin` away from everything taken; None: no room found."""
        for _ in range(40):
            latest = self.duration - length - 0.25
            if latest <= 0.35:
                return None
            start = float(self.rng.uniform(0.35, latest))
            if all(start > b + margin or start + length < a - margin for a, b in self.taken):
                self.taken.append((start, start + length))
                return start
        return None

    def _micros(self, events: int, amplitude: tuple[float, float]) -> list[Movement]:
        movements = []
        for _ in range(events):
            curve = timing.micro(self.rng, 0.0)
            start = self._free(curve.offset, 0.35)
            if start is None:
                break
            low, high = np.log(amplitude)
            size = float(np.exp(self.rng.uniform(low, high)))
            movements.append(self._expression(_shifted(curve, start), size, "micro"))
        return movements

    def _expression(self, curve: Curve, size: float, kind: str) -> Movement:
        """From the recording for a part of them, if there is one; else on the curve."""
        if self.recorded is None or not self._happens(FROM_RECORDING):
            return expression(self.rng, self.fields, curve, size, kind)
        return from_course(self.fields, curve, self.recorded(self.rng, kind), size, kind)

    def _macro(self) -> list[Movement]:
        curve = timing.macro(self.rng, 0.0)
        start = self._free(curve.offset, 0.3)
        if start is None:
            return []
        size = float(self.rng.uniform(4, 14))
        return [self._expression(_shifted(curve, start), size, "macro")]

    def _blinks(self) -> tuple[Blink, ...]:
        """About 15 a minute, wherever they fall, not two at once."""
        blinks: list[Blink] = []
        at = float(self.rng.exponential(3.0))
        while at < self.duration - 0.35:
            depth = 1.0 if self._happens(0.85) else float(self.rng.uniform(0.4, 0.9))
            blinks.append(Blink(timing.blink(self.rng, at), depth))
            at += 0.5 + float(self.rng.exponential(3.5))
        return tuple(blinks)

    def _glances(self) -> tuple[Glance, ...]:
        glances = []
        at = float(self.rng.exponential(2.5))
        while at < self.duration - 0.3:
            end = at + float(self.rng.uniform(0.2, 1.2))
            angle, size = self.rng.uniform(0, math.tau), self.rng.uniform(0.8, 3.5)
            shift = (float(size * math.cos(angle)), float(0.5 * size * math.sin(angle)))
            glances.append(Glance(at, end, shift))
            at = end + 0.2 + float(self.rng.exponential(3.0))
        return tuple(glances)

    def _sway(self) -> tuple[Wave, ...]:
        size = float(self.rng.lognormal(math.log(0.7), 0.5))
        waves = []
        for _ in range(4):
            hertz = float(np.exp(self.rng.uniform(math.log(0.2), math.log(2.0))))
            d = self.rng.normal(0, 1, 6) * size / (0.5 + hertz) * (0.6, 0.5, 0.35, 1.6, 1.0, 1.2)
            waves.append(Wave(hertz, float(self.rng.uniform(0, math.tau)), Head(*map(float, d))))
        return tuple(waves)

    def _nods(self) -> tuple[Nod, ...]:
        if not self._happens(0.25):
            return ()
        start = float(self.rng.uniform(0.2, max(self.duration - 1.2, 0.3)))
        length = float(self.rng.uniform(0.4, 1.0))
        curve = Curve(start, start + 0.45 * length, start + length)
        pitch = float(self.rng.choice([-1, 1]) * self.rng.uniform(1.5, 6))
        return (Nod(curve, Head(pitch=pitch, yaw=float(self.rng.normal(0, 0.6)))),)

    def _speech(self) -> list[Talk]:
        length = float(self.rng.uniform(1.0, min(4.0, max(self.duration - 1.0, 1.1))))
        start = self._free(length, 0.15)
        if start is None:
            return []
        rate = float(self.rng.uniform(2.0, 6.0))
        loud = float(self.rng.uniform(0.6, 1.4))
        shapes, at = [], start
        while at < start + length:
            shapes.append((at, self._viseme(loud)))
            at += float(self.rng.uniform(0.6, 1.4)) / rate / 2  # two shapes a syllable
        return [Talk(start, start + length, tuple(shapes), 0.22 / rate)]

    def _viseme(self, loud: float) -> dict[str, float]:
        """Lips shut (b, m, p), open (a), spread (i), round (u), lip to teeth (f)."""
        shape = VISEMES[int(self.rng.integers(len(VISEMES)))]
        return {name: a * loud * float(self.rng.uniform(0.7, 1.3)) for name, a in shape.items()}

    def _swallow(self) -> list[Talk]:
        length = float(self.rng.uniform(0.5, 0.9))
        start = self._free(length, 0.15)
        if start is None:
            return []
        size = float(self.rng.uniform(0.8, 1.8))
        shape = {"24": 0.6 * size, "17": size, "26": -0.3 * size}
        return [Talk(start, start + length, ((start + length / 2, shape),), length / 3.2, "swallow")]


def _shifted(curve: Curve, by: float) -> Curve:
    return Curve(curve.onset + by, curve.apex + by, curve.offset + by, curve.hold, curve.rise, curve.fall)
