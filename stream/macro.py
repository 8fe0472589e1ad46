"""Find the longer movements: expressions that stay for more than half a second.

in    Motion   one face's regional displacements, one frame at a time
out   Window   with `macro` set, when the face is back, or has stayed for `LONGEST_S`

Two thresholds, as in a thermostat: one to start and a lower one, half of the height reached, to stop,
so that a smile that trembles is one smile. Rest is where the face was before, not a neutral face that
nobody has shown yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.motion import Motion
from .confounds import look_for_confounds
from .noise_floor import FIRST_NOISE
from .peaks import strongest
from .spotting import SpotConfig, Window
from .track_history import K, TrackHistory

Array = NDArray[np.float32]

STARTS = 1.6
"""Percent of OED that a group of regions must be away from rest."""
ENDS = 0.5
"""Share of the greatest distance under which the movement is over."""
LONGEST_S = 8.0
"""Seconds; a face that stays longer has a new rest."""
REST_S = 1.5
"""Seconds, time constant of the rest while nothing moves."""
NEAR_REST = 0.1
"""Share of the height at the apex below which the face counts as at rest."""
NO_CROP = np.zeros((0, 0), np.uint8)
SETTLE_S = 0.6
"""Seconds after the end in which the rest of the way back is no new movement."""
LOOK_BACK_S = 1.0
"""Seconds before the start in which the onset is looked for."""


@dataclass(slots=True, eq=False)
class _Open:
    """A movement that is not over."""

    before: list[Motion]
    """Records of the second before it was noticed, in which its onset lies."""
    apex: Motion
    height: float


class MacroSpotter:
    """The stage for longer movements of one face."""

    def __init__(self, config: SpotConfig) -> None:
        self._config = config
        self._recent = TrackHistory(LOOK_BACK_S)
        self._history = TrackHistory(LONGEST_S + LOOK_BACK_S)
        self._rest = np.zeros((K, 2), np.float32)
        self._open: _Open | None = None
        self._last = 0.0
        self._settled = -np.inf

    def push(self, motion: Motion) -> list[Window]:
        """The next frame of this face."""
        if motion.cut:
            self._restart(motion)
        self._recent.append(motion)
        self._history.append(replace(motion, crop=NO_CROP))
        away = motion.shift - self._rest
        height = strongest(np.hypot(away[:, 0], away[:, 1])[None])[0]
        if self._open is None:
            self._wait(motion, height)
            return []
        return self._keep_up(self._open, motion, height)

    def _restart(self, motion: Motion) -> None:
        """What came before cannot be compared: an open movement is given up."""
        self._recent, self._history = TrackHistory(LOOK_BACK_S), TrackHistory(LONGEST_S + LOOK_BACK_S)
        self._rest, self._open, self._last = motion.shift.copy(), None, motion.time

    def flush(self) -> list[Window]:
        """No more frames: a movement that is not over ends here."""
        if self._open is None:
            return []
        return self._close(self._open, self._history.records[-1])

    def _wait(self, motion: Motion, height: float) -> None:
        if motion.time < self._settled:
            self._rest = motion.shift.copy()
        elif height >= STARTS:
            self._open = _Open(self._recent.between(-np.inf, np.inf), motion, height)
        else:
            share = 1 - np.exp((self._last - motion.time) / REST_S)
            self._rest += np.float32(share) * (motion.shift - self._rest)
        self._last = motion.time

    def _keep_up(self, movement: _Open, motion: Motion, height: float) -> list[Window]:
        if height > movement.height:
            movement.apex, movement.height = motion, height
        if height > ENDS * movement.height and motion.time - movement.before[-1].time < LONGEST_S:
            return []
        return self._close(movement, motion)

    def _close(self, movement: _Open, offset: Motion) -> list[Window]:
        self._open, self._last, self._settled = None, offset.time, offset.time + SETTLE_S
        onset = _onset(movement)
        self._rest = offset.shift.copy()
        duration = 1000 * (offset.time - onset.time)
        if onset is movement.apex or duration <= self._config.max_ms:
            return []
        return [self._window(onset, movement.apex, offset)]

    def _window(self, onset: Motion, apex: Motion, offset: Motion) -> Window:
        moved = apex.shift - onset.shift
        lengths = np.hypot(moved[:, 0], moved[:, 1])
        moved = moved * (lengths > 0.25 * lengths.max())[:, None]
        amplitude = float(lengths.max())
        confounds = look_for_confounds(self._history, moved, onset.time, apex.time, offset.time, amplitude)
        likely = amplitude / (amplitude + STARTS) * (1 - 0.7 * confounds.head)
        return Window(
            onset, apex, offset, moved, amplitude, amplitude / FIRST_NOISE, None,
            confounds, float(likely), True,
        )  # fmt: skip


def _onset(movement: _Open) -> Motion:
    """Where the face last was at rest on its way to the apex: the way is known only now."""
    start = np.median([m.shift for m in movement.before[: len(movement.before) // 2 + 1]], axis=0)
    direction = movement.apex.shift - start
    energy = float((direction**2).sum())
    if energy == 0.0:
        return movement.apex
    course = [float(((m.shift - start) * direction).sum()) / energy for m in movement.before]
    still = [m for m, level in zip(movement.before, course, strict=True) if level <= NEAR_REST]
    return still[-1] if still else movement.before[0]
