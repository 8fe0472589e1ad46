"""Find the short movements: a face at rest goes by, a movement that comes and goes comes out.

in    Motion   one face's regional displacements, one frame at a time
out   Window   onset, apex, offset and what else happened; at most `lookahead` after its apex

Every moment is compared with the moments before and after it at several distances (80 to 260 ms):
only a movement that returns stands out, so slow drift and a lasting change of expression do not.
What stands out from the noise of this face and camera is followed in time, weighed against that noise, to
find onset, apex and offset. Nothing looks farther ahead than it says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError
from ..engine.motion import Motion
from ..engine.scorer import Scorer
from .candidate import Candidate, follow
from .confounds import Confounds
from .head_leak import HeadLeak
from .joint_noise import JointNoise
from .noise_floor import FIRST_NOISE, FLOOR, LENGTH, NoiseFloor
from .peaks import CHANNELS, FACE, KINDS, Moment, Peak, Standout, as_peak, standout, strongest
from .rating import LEARNED, Limits, rater
from .span import AFTER_S, NEAR_S, Span
from .track_history import HEAD, K, TrackHistory, pulse
from .unit_filter import UnitFilter

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpotConfig:
    """What counts as a micro-expression, and when it stands out."""

    min_ms: float = 80.0
    """Milliseconds; shorter is no facial movement: micro-expressions last 170 ms and more (Yan et al.
    2013), and of 2400 true ones that were generated none was measured shorter than 100."""
    max_ms: float = 500.0
    """Milliseconds, onset to offset; longer is a macro-expression (Yan et al. 2013)."""
    report_macro: bool = False
    """Also report longer movements, flagged `macro`."""
    min_amplitude: float = 0.35
    """Percent of the outer-eye-corner distance; less is not told from noise in any picture."""
    max_amplitude: float = 6.0
    """Percent of the outer-eye-corner distance; more is an expression or speech, however short, and from
    two thirds of it on a movement counts less: micro-expressions reach 4 %."""
    noise_factor: float = 4.0
    """Times the face's own noise floor that a movement must reach."""
    min_score: float = 0.5
    """0..1; candidates that score lower are not reported."""
    scorer: str = LEARNED
    """Who rates a candidate: learned (the model bundle's, else the one shipped with microau), judged (fixed
    rules), or a file that `microau.training.spot_scorer` wrote."""

    @property
    def limits(self) -> Limits:
        """As the rating takes them."""
        return Limits(self.noise_factor, self.min_amplitude, self.max_amplitude)

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
WIDTH = 0.2
"""Of a reach: half width of the mean that stands for each of the three moments. A longer movement may be
averaged over longer, against noise."""
HISTORY_S = 3.0
"""Seconds of motion that are kept: the longest look back and ahead, and what is usual for the eyes."""
LEAD_S = 0.3
"""Seconds of the face, or the scene, before an onset: with fewer, what was going on looks like what
began."""
RETURNED = (0.5, 1.75)
"""Of the rise, what must be gone at the offset, and at most: what ends far below where it began is the end
of a longer movement."""
LEAST_ALONE = 0.1
"""Isolation (`Span`): where the face moves as much before or after, it speaks, or a longer movement goes
on."""
WAYS = tuple((channel, kind) for channel in CHANNELS for kind in KINDS)
"""Channels and what they are looked at by: each keeps its own peaks, so that a leap of single regions does
not hide what a whole unit shows beside it."""
PAST_PEAKS = 48
"""Peaks that are remembered: what else happened within a second or two."""
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
    """Pulse over the noise floor."""
    span: Span | None
    """The course it was found on; None for longer movements."""
    confounds: Confounds
    score: float
    macro: bool


class Spotter:
    """The spotting stage for one face."""

    def __init__(self, config: SpotConfig | None = None, scorer: Scorer | None = None) -> None:
        """scorer: of the model's bundle, where it brings one."""
        self._config = config or SpotConfig()
        self._wait = self._config.max_ms / 1000 + AFTER_S
        self._rate = rater(self._config.scorer, self._config.limits, scorer)
        self._begin()
        self._free_from = -np.inf
        """Offset of the last window: nothing before it is told again."""
        self._rest = np.zeros((K, 2), np.float32)
        self._last = 0.0
        self.signal = 0.0
        """Displacement of the group of regions that is farthest from its rest, percent of OED."""
        self.noise = 0.0
        """Noise floor of the middle one of the face's regions, percent of OED; 0 until it is known."""

    @property
    def lookahead(self) -> float:
        """Seconds between an apex and its window at most, once the face's noise floor is known."""
        return self._wait + NEAR_S

    def push(self, motion: Motion) -> list[Window]:
        """The next frame of this face."""
        told = self._restart(motion) if motion.cut else []
        self._compare_with_rest(motion)
        self._history.append(motion)
        self._measure(motion.time - (1 + WIDTH) * REACHES[-1])
        return told + self._decide(motion.time)

    def flush(self) -> list[Window]:
        """No more frames will come: decide on what is held back, with what there is."""
        time = self._history.time
        if len(time) < 3:
            return []
        self._measure(time[-1])
        return self._decide(np.inf)

    def _begin(self) -> None:
        """Nothing is known of this face."""
        self._history = TrackHistory(HISTORY_S)
        self._noise = NoiseFloor((len(REACHES), K), FIRST_NOISE, FLOOR, LENGTH)
        self._units = UnitFilter(len(REACHES))
        self._together = JointNoise(len(REACHES))
        self._units.weigh(self._together.precision(self._noise.level))
        self._leak = HeadLeak()
        self._measured = -np.inf
        """Last moment whose pulses were measured."""
        self._noise_known = False
        self._peaks: dict[tuple[str, str], list[Peak]] = {way: [] for way in WAYS}
        self._past: list[Peak] = []
        """Peaks that were decided on lately."""

    def _restart(self, motion: Motion) -> list[Window]:
        """Another scene: nothing before it can be compared, and its noise is another."""
        told = self.flush()
        self._begin()
        self._rest, self._last = motion.shift.copy(), motion.time
        return told

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
        raw, sums, seen = self._seen(moment)
        self._look(seen)
        if self._noise.is_due(moment):
            self._leak.learn(moment, raw, seen.noise)
            self._units.learn(moment, sums)
            self._together.push(seen.pulses)
            if self._noise.push(moment, seen.lengths):
                self._weigh(moment)

    def _seen(self, moment: float) -> tuple[Array, Array, Moment]:
        """Raw pulses (R, K + HEAD, 2), sums of the units (R, T), and the moment that is looked at."""
        raw = np.empty((len(REACHES), K + HEAD, 2), np.float32)
        work = np.empty((K + HEAD, 2), np.float32)
        for r, reach in enumerate(REACHES):
            pulse(self._history.time, self._history.shift, moment, reach, WIDTH * reach, raw[r], work)
        pulses = self._leak.without(raw)
        sums = self._units(pulses)
        lengths = np.sqrt((pulses**2).sum(axis=-1))  # (R, K)
        standing_out = self._units.standing_out(sums)
        noise = self._noise.level
        return raw, sums, Moment(moment, pulses, lengths, noise, standing_out, self._units.precision)

    def _weigh(self, moment: float) -> None:
        """The noise floor was set anew."""
        self._units.weigh(self._together.precision(self._noise.level))
        self.noise = float(np.median(self._noise.level[:, FACE]))
        if not self._noise_known:
            self._noise_known = True
            self._units.begin_again(self._together.pulses)
            self._look_again(moment)

    def _look_again(self, until: float) -> None:
        """From the first moment on, by the face's own noise, of which nothing was known then.

        Else one movement would be weighed by two: as the floor falls from what was assumed to what it is,
        the way back of a movement stands out by more than its apex did.
        """
        self._peaks = {way: [] for way in WAYS}
        time = self._history.time
        for moment in time[(time > time[0] + REACHES[0]) & (time <= until)].tolist():
            *_, seen = self._seen(moment)
            self._look(seen)

    def _look(self, seen: Moment) -> None:
        """Keep the moment as a peak wherever it stands out and is the highest around."""
        for channel in CHANNELS:
            best = standout(seen, channel)
            for kind in KINDS:
                self._keep_highest(best, kind)

    def _keep_highest(self, best: Standout, kind: str) -> None:
        peaks, time = self._peaks[best.channel, kind], best.moment.time
        rival = peaks[-1] if peaks and time - peaks[-1].moment < NEAR_S else None
        if best.strength(kind) < max(self._config.noise_factor, rival.strength if rival else 0.0):
            return
        peak = as_peak(best, kind)
        if peak is None:
            return
        if rival:
            peaks.pop()
        peaks.append(peak)

    def _decide(self, now: float) -> list[Window]:
        """Windows of the peaks around which enough has been seen, in the order of their moments."""
        windows = []
        while (peak := self._next_due(now)) is not None:
            windows += self._windows(peak)
            self._past.append(peak)
        self._past = self._past[-PAST_PEAKS:]
        return windows

    def _next_due(self, now: float) -> Peak | None:
        """The earliest peak that waits no longer, taken out; at the same moment the face's."""
        due = [peaks for peaks in self._peaks.values() if peaks and peaks[0].moment + self._wait <= now]
        return min(due, key=lambda peaks: peaks[0].moment).pop(0) if due else None

    def _windows(self, peak: Peak) -> list[Window]:
        """The window of a peak; none if it is no short movement, or another tells it better."""
        found = self._candidate(peak)
        if found is None or found.span.apex <= self._free_from:
            return []
        score = self._rate(found)
        if not score >= self._config.min_score or self._has_better(found, score):
            return []
        self._free_from = found.span.offset
        return [_window(found, score)]

    def _candidate(self, peak: Peak) -> Candidate | None:
        """The movement around a peak if it is as long and large as a micro-expression."""
        config, history = self._config, self._history
        shift = self._leak.without(history.shift)
        others = [*self._past, *(p for peaks in self._peaks.values() for p in peaks)]
        found = follow(history, shift, peak, others, config.max_ms / 1000, config.min_amplitude)
        if found is None or not complete(found) or found.span.rise > config.max_amplitude:
            return None
        length = found.span.offset - found.span.onset
        # The fit may touch the limit itself; frames are not finer than their rate.
        return found if config.min_ms / 1000 <= length <= config.max_ms / 1000 + 1e-6 else None

    def _has_better(self, found: Candidate, score: float) -> bool:
        """True: a later peak, as far as it can be seen now, gives the same movement a higher score."""
        for peaks in self._peaks.values():
            for peak in peaks:
                if found.span.onset < peak.moment < found.span.offset:
                    rival = self._candidate(peak)
                    if rival is not None and self._rate(rival) > score:
                        return True
        return False


def complete(found: Candidate) -> bool:
    """Whether rest was seen before it, it comes back there, and it is more than a part of what goes on."""
    least, most = RETURNED
    span = found.span
    seen_before = found.features["lead"] >= LEAD_S
    return seen_before and least <= span.returned <= most and span.isolation >= LEAST_ALONE


def _window(found: Candidate, score: float) -> Window:
    amplitude = float(np.hypot(found.moved[:, 0], found.moved[:, 1]).max())
    return Window(
        found.onset, found.apex, found.offset, found.moved, amplitude, found.peak.strength, found.span,
        found.confounds, score, False,
    )  # fmt: skip
