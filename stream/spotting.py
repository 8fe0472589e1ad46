"""Find the short movements: a face at rest goes by, a movement that comes and goes comes out.

in    Motion   one face's regional displacements, one frame at a time
out   Window   onset, apex, offset and what else happened; at most `lookahead` after its apex

Every moment is compared with the moments before and after it at several distances (80 to 260 ms):
only a movement that returns stands out, so slow drift and a lasting change of expression do not.
What stands out from the noise of this face and camera is followed along its own direction to find
onset, apex and offset. Nothing looks farther ahead than it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import MOVES, explained
from ..engine.errors import MicroauError
from ..engine.motion import Motion
from ..engine.regions import GROUPS, members
from .confounds import Confounds, blinking, look_for_confounds
from .head_leak import HeadLeak
from .noise_floor import NoiseFloor
from .span import AFTER_S, NEAR_S, Span, find_span
from .track_history import HEAD, K, TrackHistory, pulse

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
    noise_factor: float = 4.0
    """Times the face's own noise floor that a movement must reach."""
    min_score: float = 0.5
    """0..1; candidates that score lower are not reported."""

    def __post_init__(self) -> None:
        if not 0 < self.min_ms < self.max_ms <= 1000:
            raise MicroauError(
                f"min_ms and max_ms: 0 < min < max <= 1000 needed, got {self.min_ms:g} and {self.max_ms:g}"
            )
        if not 0 < self.min_amplitude < self.max_amplitude:
            raise MicroauError(
                "min_amplitude and max_amplitude: 0 < min < max needed, got "
                f"{self.min_amplitude:g} and {self.max_amplitude:g}"
            )
        if not self.noise_factor > 0:
            raise MicroauError(f"noise_factor must be above 0, got {self.noise_factor:g}")
        if not 0 <= self.min_score <= 1:
            raise MicroauError(f"min_score must lie between 0 and 1, got {self.min_score:g}")


REACHES = (0.08, 0.13, 0.19, 0.26)
"""Seconds before and after that a moment is compared with: half of 160 to 520 ms."""
SMOOTH = 0.010
"""Seconds, half width of the mean that stands for a moment."""
HISTORY_S = 3.0
"""Seconds of motion that are kept: the longest look back and ahead, and what is usual for the eyes."""
REST_S = 1.0
"""Seconds, time constant of the rest that the signal is measured from."""
LIDS_S = 0.08
"""Seconds before and after a shut eye in which the lids are on their way."""
USUAL_S = 0.16
"""Seconds; hardly any micro-expression is shorter from onset to offset (Yan et al. 2013: 170 ms)."""
TAKES_PART = 3.0
"""Times its noise that a region must move to take part in a movement."""
CHANNELS: Mapping[str, tuple[NDArray[np.intp], ...]] = {
    "face": tuple(members(group) for group in GROUPS if group not in ("still", "eye")),
    "eyes": (members("eye"),),
}
"""Groups of regions that are searched apart: the lids follow every shift of gaze, and must not hide what
the rest of the face does."""
MUSCLES: Mapping[str, tuple[str, ...]] = {"face": tuple(MOVES), "eyes": ("5", "7")}
"""Action units that can move a channel: the lids by themselves only rise or tighten; what else moves them
is a blink or the eyeball."""


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
    """Pulse over the noise floor."""
    span: Span | None
    """The course it was found on; None for longer movements."""
    confounds: Confounds
    score: float
    macro: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    """A moment that stands out."""

    moment: float
    strength: float
    """Pulse over noise of the best group."""
    direction: Array
    """(K, 2) pulse of the channel's regions that took part; 0 elsewhere."""
    channel: str


class Spotter:
    """The spotting stage for one face."""

    def __init__(self, config: SpotConfig | None = None) -> None:
        self._config = config or SpotConfig()
        self._wait = self._config.max_ms / 1000 + AFTER_S
        self._history = TrackHistory(HISTORY_S)
        self._noise = NoiseFloor(len(REACHES))
        self._leak = HeadLeak()
        self._measured = -np.inf
        """Last moment whose pulses were measured."""
        self._peaks: dict[str, list[_Peak]] = {name: [] for name in CHANNELS}
        self._free_from = -np.inf
        """Offset of the last window: nothing before it is told again."""
        self._rest = np.zeros((K, 2), np.float32)
        self._last = 0.0
        self.signal = 0.0
        """Displacement of the group of regions that is farthest from its rest, percent of OED."""

    @property
    def lookahead(self) -> float:
        """Seconds between an apex and its window at most."""
        return self._wait + NEAR_S

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

    def _restart(self, motion: Motion) -> None:
        self._rest, self._last = motion.shift.copy(), motion.time
        self._history = TrackHistory(HISTORY_S)
        self._measured = -np.inf
        for peaks in self._peaks.values():
            peaks.clear()

    def _compare_with_rest(self, motion: Motion) -> None:
        """The signal: distance from where the regions have been over the last second."""
        self._rest += np.float32(1 - np.exp((self._last - motion.time) / REST_S)) * (
            motion.shift - self._rest
        )
        self._last = motion.time
        away = motion.shift - self._rest
        self.signal = strongest(np.hypot(away[:, 0], away[:, 1])[None])[0]

    def _measure(self, until: float) -> None:
        """Pulses of every frame time up to `until` that was not measured yet."""
        time = self._history.time
        first = np.searchsorted(time, max(self._measured, time[0] + REACHES[0]), side="right")
        last = np.searchsorted(time, until, side="right")
        for moment in time[first:last].tolist():
            self._measure_one(moment)
            self._measured = moment

    def _measure_one(self, moment: float) -> None:
        raw = np.empty((len(REACHES), K + HEAD, 2), np.float32)
        work = np.empty((K + HEAD, 2), np.float32)
        for r, reach in enumerate(REACHES):
            pulse(self._history.time, self._history.shift, moment, reach, SMOOTH, raw[r], work)
        pulses, noise = self._leak.without(raw), self._noise.level
        lengths = np.sqrt((pulses**2).sum(axis=-1))  # (R, K)
        for channel in CHANNELS:
            self._look(channel, moment, pulses, lengths, noise)
        if self._noise.is_due(moment):
            self._leak.learn(moment, raw, noise)
            self._noise.push(moment, lengths)

    def _look(self, channel: str, moment: float, pulses: Array, lengths: Array, noise: Array) -> None:
        """Keep the moment as a peak of the channel if it stands out and is the highest around."""
        strength, r = strongest(lengths / noise, channel)
        peaks = self._peaks[channel]
        rival = peaks[-1] if peaks and moment - peaks[-1].moment < NEAR_S else None
        if strength < max(self._config.noise_factor, rival.strength if rival else 0.0):
            return
        regions = np.concatenate(CHANNELS[channel])
        took_part = np.zeros(K, bool)
        took_part[regions] = lengths[r, regions] > TAKES_PART * noise[r, regions]
        if lengths[r, took_part].max(initial=0.0) < self._config.min_amplitude:
            return
        if rival:
            peaks.pop()
        peaks.append(_Peak(moment, strength, pulses[r] * took_part[:, None], channel))

    def _decide(self, now: float) -> list[Window]:
        """Windows of the peaks around which enough has been seen, the face's before the eyes'."""
        windows = []
        for peaks in self._peaks.values():
            while peaks and peaks[0].moment + self._wait <= now:
                windows += self._windows(peaks.pop(0))
        return windows

    def _windows(self, peak: _Peak) -> list[Window]:
        """The movement around a peak, followed along its own direction; none if it is no short one."""
        longest = self._config.max_ms / 1000
        time, course = self._history.time, self._course(peak.direction)
        quiet = (
            self._quiet() if peak.channel == "face" else None
        )  # a lid that has just blinked is no lid alone
        span = find_span(time, course, peak.moment, longest, quiet)
        # A pulse filter also answers, at half height, beside a movement: there nothing rises.
        if span is None or span.rise < self._config.min_amplitude or span.apex <= self._free_from:
            return []
        short = self._config.min_ms / 1000 <= span.offset - span.onset <= longest
        if not short or span.returned < 0.5 or span.rise > self._config.max_amplitude:
            return []
        window = self._describe(peak, span)
        if window.score < self._config.min_score:
            return []
        self._free_from = span.offset
        return [window]

    def _quiet(self) -> NDArray[np.bool_]:
        """(n,) False during a blink and shortly before and after."""
        time, shut = self._history.time, blinking(self._history.live)
        near = np.searchsorted(time, [time[shut] - LIDS_S, time[shut] + LIDS_S])
        quiet = np.ones(len(time), bool)
        for low, high in near.T:
            quiet[low:high] = False
        return quiet

    def _course(self, direction: Array) -> Array:
        """(n,) displacement along the direction, in percent of OED of the region that moved most."""
        energy = float((direction**2).sum())
        largest = float(np.hypot(direction[:, 0], direction[:, 1]).max())
        shift = self._leak.without(self._history.shift)
        return np.asarray(np.tensordot(shift, direction, 2) * (largest / energy), np.float32)

    def _describe(self, peak: _Peak, span: Span) -> Window:
        history = self._history
        onset, apex, offset = (history.at(t) for t in (span.onset, span.apex, span.offset))
        moved = (apex.shift - onset.shift) * (np.abs(peak.direction).sum(axis=1) > 0)[:, None]
        amplitude = float(np.hypot(moved[:, 0], moved[:, 1]).max())
        confounds = look_for_confounds(
            history, peak.direction, onset.time, apex.time, offset.time, span.rise
        )
        score = rate(peak, span, confounds, self._config)
        return Window(onset, apex, offset, moved, amplitude, peak.strength, span, confounds, score, False)


def strongest(ratios: Array, channel: str = "face") -> tuple[float, int]:
    """The best group of a channel at the best reach: (its second highest ratio, reach).

    ratios  (R, K). Two regions of one group must stand out: a single one may be a fleck of noise.
    """
    best, reach = 0.0, 0
    for group in CHANNELS[channel]:
        part = np.partition(ratios[:, group], -2, axis=1)[:, -2]  # (R,)
        r = int(part.argmax())
        if part[r] > best:
            best, reach = float(part[r]), r
    return best, reach


def rate(peak: _Peak, span: Span, confounds: Confounds, config: SpotConfig) -> float:
    """How sure it is that this is a facial movement of micro-expression length, 0..1."""
    contrast = peak.strength
    stands_out = 1.5 * np.log(contrast / config.noise_factor) + 1.2 * np.log(
        span.rise / config.min_amplitude
    )
    likely = 1 / (1 + np.exp(-stands_out))
    muscular = ramp(explained(peak.direction, MUSCLES[peak.channel]), 0.3, 0.6)
    alone = ramp(span.isolation, 0.4, 0.9)
    comes_back = ramp(span.returned, 0.4, 0.7)
    long_enough = ramp(span.offset - span.onset, 0.04, USUAL_S)
    small_enough = ramp(config.max_amplitude - span.rise, 0.0, 0.5 * config.max_amplitude)
    unconfounded = (1 - confounds.blink) * (1 - 0.7 * confounds.head) * (1 - 0.5 * confounds.gaze)
    unconfounded *= 1 - 0.8 * confounds.speech
    return float(likely * muscular * alone * comes_back * long_enough * small_enough * unconfounded)


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, a line between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
