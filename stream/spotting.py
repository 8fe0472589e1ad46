"""Find the short movements: a face at rest goes by, a movement that comes and goes comes out.

in    Motion   one face's regional displacements, one frame at a time
out   Window   onset, apex, offset and what else happened; at most `lookahead` after its apex

Every moment is compared with the moments before and after it at several distances (80 to 260 ms):
only a movement that returns stands out, so slow drift and a lasting change of expression do not.
What stands out from the noise of this face and camera is followed along its own direction to find
onset, apex and offset. Nothing looks farther ahead than it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError
from ..engine.motion import Motion
from ..engine.regions import GROUP_OF, GROUPS, REGIONS
from .confounds import Confounds, look_for_confounds
from .track_history import K, TrackHistory, pulse

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpotConfig:
    """What counts as a micro-expression, and when it stands out."""

    min_ms: float = 40.0
    """Milliseconds; shorter is no facial movement (one frame at 25 fps)."""
    max_ms: float = 500.0
    """Milliseconds, onset to offset; longer is a macro-expression (Yan et al. 2013)."""
    report_macro: bool = False
    """Also report longer movements, flagged `macro`."""
    min_amplitude: float = 0.35
    """Percent of the outer-eye-corner distance; less is not told from noise in any picture."""
    max_amplitude: float = 9.0
    """Percent of the outer-eye-corner distance; more is an expression or speech, however short."""
    noise_factor: float = 5.0
    """Times the face's own noise floor that a movement must reach."""
    min_score: float = 0.5
    """0..1; candidates that score lower are not reported."""

    def __post_init__(self) -> None:
        if not 0 < self.min_ms < self.max_ms <= 1000:
            raise MicroauError(
                f"min_ms and max_ms: 0 < min < max <= 1000 needed, got {self.min_ms:g} and {self.max_ms:g}"
            )
        if not 0 <= self.min_score <= 1:
            raise MicroauError(f"min_score must lie between 0 and 1, got {self.min_score:g}")


REACHES = (0.08, 0.13, 0.19, 0.26)
"""Seconds before and after that a moment is compared with: half of 160 to 520 ms."""
SMOOTH = 0.010
"""Seconds, half width of the mean that stands for a moment."""
FLOOR = 0.05
"""Percent of OED: the least noise that is assumed, about 0.05 px of the crop."""
FIRST_NOISE = 0.15
"""Percent of OED, assumed until the noise of this face has been measured."""
STARTUP_S = 1.0
"""Seconds of a new face before its own noise is known."""
MEMORY_S = 12.0
"""Seconds over which the noise is measured."""
STEP_S = 0.025
"""Seconds between samples of the noise."""
NEIGHBOUR_S = 0.16
"""Seconds; of two peaks nearer than this the higher one stands."""
AFTER_S = 0.30
"""Seconds after the offset that must have been seen, to tell a movement from a run of movements."""
HISTORY_S = 3.0
"""Seconds of motion that are kept: the longest look back and ahead, and what is usual for the eyes."""
REST_S = 1.0
"""Seconds, time constant of the rest that the signal is measured from."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A movement that came and went."""

    onset: Motion
    apex: Motion
    offset: Motion
    direction: Array
    """(K, 2) displacement at the apex of the regions that took part, percent of OED; 0 elsewhere."""
    amplitude: float
    """Largest of them, percent of OED."""
    contrast: float
    """Amplitude over the noise floor."""
    isolation: float
    """0..1: 1 where nothing else moved just before and after, 0 within a run of movements."""
    returned: float
    """Share of the rise that was gone at the offset."""
    confounds: Confounds
    score: float
    macro: bool


@dataclass(slots=True)
class _Peak:
    moment: float
    strength: float
    reach: int
    pulse: Array
    noise: Array


class NoiseFloor:
    """What this face's regions do while nothing happens: a running median per region and reach."""

    def __init__(self) -> None:
        size = round(MEMORY_S / STEP_S)
        self._samples = np.empty((size, len(REACHES), K), np.float32)
        self._count = 0
        self._next = -np.inf
        self._level = np.full((len(REACHES), K), FIRST_NOISE, np.float32)

    def push(self, moment: float, lengths: Array) -> None:
        """lengths: (R, K) sizes of the pulses at this moment, percent of OED."""
        if moment < self._next:
            return
        self._next = moment + STEP_S
        self._samples[self._count % len(self._samples)] = lengths
        self._count += 1
        known = min(self._count, len(self._samples))
        if known * STEP_S >= STARTUP_S and self._count % 10 == 0:
            # Median of a Rayleigh-distributed length is 1.18 standard deviations per axis.
            self._level = np.maximum(np.median(self._samples[:known], axis=0) / 1.18, FLOOR)

    @property
    def level(self) -> Array:
        """(R, K) percent of OED, one standard deviation."""
        return self._level


class Spotter:
    """The spotting stage for one face."""

    def __init__(self, config: SpotConfig | None = None) -> None:
        self._config = config or SpotConfig()
        self._history = TrackHistory(HISTORY_S)
        self._noise = NoiseFloor()
        self._done = -np.inf
        """Last moment whose pulses were measured."""
        self._peaks: list[_Peak] = []
        self._free_from = -np.inf
        """Offset of the last window: nothing before it is reported again."""
        self._rest = np.zeros((K, 2), np.float32)
        self._last = 0.0
        self.signal = 0.0
        """Displacement of the group of regions that is farthest from its rest, percent of OED."""

    @property
    def lookahead(self) -> float:
        """Seconds between an apex and its window at most."""
        return self._config.max_ms / 1000 + AFTER_S

    def push(self, motion: Motion) -> list[Window]:
        """The next frame of this face."""
        if motion.cut:
            self._restart(motion)
        self._compare_with_rest(motion)
        self._history.append(motion)
        self._measure(motion.time - REACHES[-1] - SMOOTH)
        return self._decide(motion.time)

    def flush(self) -> list[Window]:
        """No more frames will come: decide on what is held back, with what there is."""
        time = self._history.time
        if len(time) < 3:
            return []
        self._measure(time[-1])
        return self._decide(np.inf)

    def _compare_with_rest(self, motion: Motion) -> None:
        """The signal: distance from where the regions have been over the last second."""
        self._rest += np.float32(1 - np.exp((self._last - motion.time) / REST_S)) * (
            motion.shift - self._rest
        )
        self._last = motion.time
        away = motion.shift - self._rest
        self.signal = strongest(np.hypot(away[:, 0], away[:, 1])[None])[0]

    def _restart(self, motion: Motion) -> None:
        self._rest, self._last = motion.shift.copy(), motion.time
        self._history = TrackHistory(HISTORY_S)
        self._peaks.clear()
        self._done = -np.inf

    def _measure(self, until: float) -> None:
        """Pulses of every frame time up to `until` that was not measured yet."""
        time = self._history.time
        first = np.searchsorted(time, max(self._done, time[0] + REACHES[0]), side="right")
        last = np.searchsorted(time, until, side="right")
        for moment in time[first:last].tolist():
            self._measure_one(moment)
            self._done = moment

    def _measure_one(self, moment: float) -> None:
        pulses = np.empty((len(REACHES), K, 2), np.float32)
        work = np.empty((K, 2), np.float32)
        time, shift = self._history.time, self._history.shift
        for r, reach in enumerate(REACHES):
            pulse(time, shift, moment, reach, SMOOTH, pulses[r], work)
        lengths = np.sqrt((pulses**2).sum(axis=-1))  # (R, K)
        noise = self._noise.level
        strength, reach_at = strongest(lengths / noise)
        self._noise.push(moment, lengths)
        if strength >= self._config.noise_factor and lengths[reach_at].max() >= self._config.min_amplitude:
            self._add_peak(
                _Peak(moment, strength, reach_at, pulses[reach_at].copy(), noise[reach_at].copy())
            )

    def _add_peak(self, peak: _Peak) -> None:
        """Keep only the highest within NEIGHBOUR_S."""
        if self._peaks and peak.moment - self._peaks[-1].moment < NEIGHBOUR_S:
            if peak.strength > self._peaks[-1].strength:
                self._peaks[-1] = peak
            return
        self._peaks.append(peak)

    def _decide(self, now: float) -> list[Window]:
        windows = []
        while self._peaks and self._peaks[0].moment + self.lookahead <= now:
            window = self._window(self._peaks.pop(0))
            if window is not None:
                windows.append(window)
        return windows

    def _window(self, peak: _Peak) -> Window | None:
        """The movement around a peak, followed along its own direction."""
        took_part = np.hypot(peak.pulse[:, 0], peak.pulse[:, 1]) > 3 * peak.noise
        direction = peak.pulse * took_part[:, None]
        course = self._course(direction)
        span = find_span(self._history.time, course, peak.moment, self._config.max_ms / 1000)
        # A pulse filter also answers, at half height, beside a movement: there nothing rises.
        if span is None or span.rise < self._config.min_amplitude or span.apex <= self._free_from:
            return None
        return self._describe(peak, direction, span)

    def _course(self, direction: Array) -> Array:
        """(n,) displacement along the direction, in percent of OED of the region that moved most."""
        energy = float((direction**2).sum())
        largest = float(np.hypot(direction[:, 0], direction[:, 1]).max())
        return np.asarray(np.tensordot(self._history.shift, direction, 2) * (largest / energy), np.float32)

    def _describe(self, peak: _Peak, direction: Array, span: Span) -> Window | None:
        history = self._history
        onset, apex, offset = (history.at(t) for t in (span.onset, span.apex, span.offset))
        duration = 1000 * (offset.time - onset.time)
        long = duration > self._config.max_ms or span.returned < 0.5
        if long or duration < self._config.min_ms or span.rise > self._config.max_amplitude:
            return None
        moved = (apex.shift - onset.shift) * (np.abs(direction).sum(axis=1) > 0)[:, None]
        amplitude = float(np.hypot(moved[:, 0], moved[:, 1]).max())
        confounds = look_for_confounds(history, direction, onset.time, apex.time, offset.time, amplitude)
        score = ramp(span.returned, 0.4, 0.7) * rate(peak.strength, amplitude, confounds, self._config)
        if score < self._config.min_score:
            return None
        self._free_from = offset.time
        return Window(
            onset, apex, offset, moved, amplitude, peak.strength, confounds.isolation, span.returned,
            confounds, score, False,
        )  # fmt: skip


def strongest(ratios: Array) -> tuple[float, int]:
    """Pulse over noise of the best group of regions at the best reach.

    ratios  (R, K). Two regions of one group must agree: a single one may be a fleck of noise.
    """
    best, reach = 0.0, 0
    for group in range(len(GROUPS)):
        if GROUPS[group] == "still":
            continue
        part = np.sort(ratios[:, group == GROUP_OF], axis=1)[:, -2:].mean(axis=1)  # (R,)
        r = int(part.argmax())
        if part[r] > best:
            best, reach = float(part[r]), r
    return best, reach


@dataclass(frozen=True, slots=True)
class Span:
    """Onset, apex and offset in seconds, and how much of the rise was gone at the offset."""

    onset: float
    apex: float
    offset: float
    rise: float
    """Percent of OED, from the level before to the apex."""
    returned: float


def find_span(time: NDArray[np.float64], course: Array, moment: float, longest: float) -> Span | None:
    """Where the course around a moment leaves its rest, peaks, and is back.

    time    (n,) seconds
    course  (n,) displacement along the movement's own direction
    """
    near = np.flatnonzero(np.abs(time - moment) <= NEIGHBOUR_S)
    if len(near) < 2:
        return None
    top = int(near[course[near].argmax()])
    before = np.flatnonzero((time >= time[top] - longest) & (time <= time[top]))
    after = np.flatnonzero((time >= time[top]) & (time <= time[top] + longest))
    onset, low = _foot(time, course, before[::-1])
    offset, high = _foot(time, course, after)
    rise = float(course[top] - low)
    if rise <= 0:
        return None
    return Span(onset, float(time[top]), offset, rise, float(course[top] - high) / rise)


CLIMBS = 0.25
"""Share of the whole height by which the course must climb again to end a valley."""
LEAVES = 0.12
"""Share of the rise below which the course counts as at rest."""


def _foot(
    time: NDArray[np.float64], course: Array, way: Sequence[int] | NDArray[np.intp]
) -> tuple[float, float]:
    """Walk away from the apex to the rest beyond it: (time there, level there)."""
    values = course[way]
    peak = float(values[0])
    # Rest is the first valley: the lowest point before the course climbs again.
    climb = CLIMBS * (peak - float(values.min()))
    lowest = 0
    for i, value in enumerate(values):
        if value < values[lowest]:
            lowest = i
        elif value > values[lowest] + climb:
            break
    level = float(values[lowest])
    line = level + LEAVES * (peak - level)
    under = np.flatnonzero(values[: lowest + 1] <= line)
    i = int(under[0]) if len(under) else lowest
    return float(time[way[i]]), level


def rate(contrast: float, amplitude: float, confounds: Confounds, config: SpotConfig) -> float:
    """How sure it is that this is a facial movement of its own, 0..1."""
    stands_out = 1.5 * np.log(contrast / config.noise_factor) + 1.2 * np.log(
        amplitude / config.min_amplitude
    )
    likely = 1 / (1 + np.exp(-stands_out))
    alone = ramp(confounds.isolation, 0.3, 0.8)
    explained = (1 - confounds.blink) * (1 - 0.7 * confounds.head) * (1 - 0.5 * confounds.gaze)
    explained *= 1 - 0.8 * confounds.speech
    return float(likely * alone * explained)


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, a line between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


__all__ = ["REGIONS", "SpotConfig", "Spotter", "Window"]
