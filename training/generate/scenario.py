"""What happens in a clip and when: the truth, drawn before anything is rendered.

A scenario is a list of frozen records; `Scenario.state(t)` is the face at any instant, so the frame
rate, lost frames and the camera have no say in what happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import timing
from .fields import FULL, MIDLINE, FieldsOf, split
from .state import Head, State
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

Excerpts = Callable[[np.random.Generator, str], "Course"]
"""(dice, 'micro' or 'macro') -> a course of any size, of that kind's shape in time."""
FROM_RECORDING = 0.4
"""Share of the movements that follow a recording where there is one."""

CONFOUNDS = ("blink", "gaze", "sway", "nod", "speech", "swallow", "macro")
"""What people do besides."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How several channels ran in a recording, each on its own curve."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    """(steps, channels) percent OED, even steps from onset to offset; nothing at both ends."""

    def at(self, share: float) -> dict[str, float]:
        """Channels at a share of the time between onset and offset."""
        place = share * (len(self.values) - 1)
        k = min(int(place), len(self.values) - 2)
        row = self.values[k] + (place - k) * (self.values[k + 1] - self.values[k])
        return dict(zip(self.names, row.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Movement:
    """One expression: some muscles on one curve, or as they ran in a recording."""

    curve: Curve
    peaks: Mapping[str, float]
    """Channel -> displacement at the apex, percent OED."""
    kind: str = "micro"
    """'micro' or 'macro'."""
    amplitude: float = 0.0
    """Largest displacement of any landmark at the apex, all channels together, percent OED."""
    course: Course | None = None
    """None: every channel follows the curve. Else the curve only says when onset, apex and offset are."""

    def at(self, time: float) -> dict[str, float]:
        """Channels at a time in seconds, percent OED."""
        curve = self.curve
        if not curve.onset < time < curve.offset:
            return {}
        if self.course is not None:
            return self.course.at((time - curve.onset) / (curve.offset - curve.onset))
        share = curve.at(time)
        return {name: share * peak for name, peak in self.peaks.items()}

    @property
    def units(self) -> tuple[str, ...]:
        """As a coder writes them: '4', 'L12', ascending; a side letter where one side alone moved."""
        sides: dict[int, set[str]] = {}
        for name in self.peaks:
            au, side = split(name)
            sides.setdefault(au, set()).add(side)
        return tuple(
            f"{next(iter(of))}{au}" if len(of) == 1 and au not in MIDLINE else f"{au}"
            for au, of in sorted(sides.items())
        )


@dataclass(frozen=True, slots=True)
class Blink:
    """Both eyes shut and open."""

    curve: Curve
    depth: float = 1.0
    """Share of the opening that is covered."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A quick turn of both eyes, there and back."""

    start: float
    end: float
    shift: tuple[float, float]
    """Percent OED."""
    quick: float = 0.045
    """Seconds of the saccade."""

    def share(self, time: float) -> float:
        return _step((time - self.start) / self.quick) - _step((time - self.end + self.quick) / self.quick)


@dataclass(frozen=True, slots=True)
class Wave:
    """One sine of the head's sway: `direction` x amplitude."""

    hertz: float
    phase: float
    head: Head


@dataclass(frozen=True, slots=True)
class Nod:
    """One quick move of the head there and back."""

    curve: Curve
    head: Head


@dataclass(frozen=True, slots=True)
class Talk:
    """Mouth shapes in a row: (time, channel -> percent OED), run into one another."""

    start: float
    end: float
    shapes: tuple[tuple[float, Mapping[str, float]], ...]
    blend: float
    """Seconds over which shapes blend (coarticulation)."""
    kind: str = "speech"

    def units(self, time: float) -> dict[str, float]:
        edge = _step(min(time - self.start, self.end - time) / (1.5 * self.blend))
        if not edge:
            return {}
        weights = np.array([math.exp(-(((time - at) / self.blend) ** 2)) for at, _ in self.shapes])
        weights /= max(float(weights.sum()), 1.0)
        total: dict[str, float] = {}
        for weight, (_, shape) in zip(weights.tolist(), self.shapes, strict=True):
            for name, amplitude in shape.items():
                total[name] = total.get(name, 0.0) + edge * weight * amplitude
        return total


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that the person in front of the camera does."""

    duration: float
    """Seconds."""
    movements: tuple[Movement, ...] = ()
    blinks: tuple[Blink, ...] = ()
    glances: tuple[Glance, ...] = ()
    sway: tuple[Wave, ...] = ()
    nods: tuple[Nod, ...] = ()
    talks: tuple[Talk, ...] = ()

    def state(self, time: float) -> State:
        """The face at a time in seconds."""
        units: dict[str, float] = {}
        for movement in self.movements:
            _add(units, movement.at(time))
        for talk in self.talks:
            _add(units, talk.units(time))
        gaze = np.zeros(2)
        for glance in self.glances:
            gaze += glance.share(time) * np.asarray(glance.shift)
        lids = LIDS_FOLLOW * abs(float(gaze[1]))
        _add(units, dict.fromkeys(("45L", "45R") if gaze[1] > 0 else ("5L", "5R"), lids) if lids else {})
        closure = max((b.depth * b.curve.at(time) for b in self.blinks), default=0.0)
        return State(units, (float(gaze[0]), float(gaze[1])), self.head(time), closure)

    def head(self, time: float) -> Head:
        parts = [(math.sin(math.tau * w.hertz * time + w.phase), w.head) for w in self.sway]
        parts += [(n.curve.at(time), n.head) for n in self.nods]
        names = ("yaw", "pitch", "roll", "x", "y", "z")
        return Head(*(sum(s * getattr(h, name) for s, h in parts) for name in names))

    @property
    def micros(self) -> tuple[Movement, ...]:
        return tuple(m for m in self.movements if m.kind == "micro")

    def spans(self) -> list[tuple[str, float, float]]:
        """Every confound by name with its start and end in seconds, in order of start."""
        rows = [("blink", b.curve.onset, b.curve.offset) for b in self.blinks]
        rows += [("gaze", g.start, g.end) for g in self.glances]
        rows += [("nod", n.curve.onset, n.curve.offset) for n in self.nods]
        rows += [(t.kind, t.start, t.end) for t in self.talks]
        rows += [("macro", m.curve.onset, m.curve.offset) for m in self.movements if m.kind == "macro"]
        rows += [("sway", 0.0, self.duration)] if self.sway else []
        return sorted(rows, key=lambda row: row[1])

    @classmethod
    def random(
        cls,
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
        return _Draw(rng, fields, duration, recorded).scenario(events, amplitude, set(confounds))


@dataclass(slots=True)
class _Draw:
    """The dice of `Scenario.random`: keeps what is already taken in time."""

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


LIDS_FOLLOW = 0.6
"""The upper lid goes with the eye when it looks up or down, by this share."""

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


def expression(
    rng: np.random.Generator, fields: FieldsOf, curve: Curve, amplitude: float, kind: str = "micro"
) -> Movement:
    """A combination of units at random; its largest displacement at the apex is `amplitude` percent OED."""
    return with_amplitude(fields, curve, sided(rng, draw_units(rng)), amplitude, kind)


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


def _shifted(curve: Curve, by: float) -> Curve:
    return Curve(curve.onset + by, curve.apex + by, curve.offset + by, curve.hold, curve.rise, curve.fall)


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, amplitude in more.items():
        total[name] = total.get(name, 0.0) + amplitude


def _step(share: float) -> float:
    """0 before 0, 1 after 1, smooth between."""
    s = min(max(share, 0.0), 1.0)
    return s * s * (3 - 2 * s)
