"""What happens in a clip and when: the truth, fixed before anything is rendered.

A scenario is a list of frozen records; `Scenario.state(t)` is the face at any instant, so the frame
rate, lost frames and the camera have no say in what happened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .anatomy import MIDLINE, split
from .state import Head, State
from .timing import Curve


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


LIDS_FOLLOW = 0.6
"""The upper lid goes with the eye when it looks up or down, by this share."""


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, amplitude in more.items():
        total[name] = total.get(name, 0.0) + amplitude


def _step(share: float) -> float:
    """0 before 0, 1 after 1, smooth between."""
    s = min(max(share, 0.0), 1.0)
    return s * s * (3 - 2 * s)
