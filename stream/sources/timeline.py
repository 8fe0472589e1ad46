"""From presentation time stamps to times: holes are known, jumps are bridged, nothing goes backwards.

All arithmetic is in whole ticks of the time base; a time becomes a float only at the end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from ..source import Counts

LEARN = 10
"""Intervals after which the running interval is trusted."""
MEMORY = 60
"""Intervals that are remembered: 0.3 s at 200 fps, 2 s at 30 fps."""
SPREAD = 0.25
"""An interval within this share of the median (or one tick) counts as regular."""
REGULAR = 0.75
"""Share of regular intervals from which on the rate is constant and a hole is a loss."""
RESET_S = 0.5
"""Seconds back from which on a stamp is a restarted clock, not a picture out of order."""
AHEAD_S = 5.0
"""Seconds by which a live stream may run ahead of the monotonic clock (a burst after buffering)."""
WRAP = 1 << 33
"""MPEG-TS counts 90 kHz in 33 bits: 26.5 hours."""
MPEG_TICK = Fraction(1, 90000)


class Cadence:
    """The running frame interval, and what a longer one means.

    In a constant-rate stream (three of four among the last sixty intervals lie within a quarter of their
    median) an interval of n times the mean is n - 1 lost frames. In a variable-rate stream (phones,
    screen recorders) a longer interval is no loss: nothing is claimed.
    """

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=MEMORY)
        self._mean = 0.0
        self._constant = False

    @property
    def interval(self) -> float:
        """Ticks from frame to frame, mean of the regular intervals; 0 while unknown."""
        return self._mean

    def lost(self, step: int) -> int:
        """How many frames are missing in an interval of `step` ticks."""
        if not self._constant or step < 1.5 * self._mean or step - self._mean < 1:
            return 0
        return max(round(step / self._mean) - 1, 0)

    def learn(self, step: int) -> None:
        """Remember an interval of `step` ticks."""
        if self._constant and step == self._steps[-1] == self._mean and len(self._steps) == MEMORY:
            self._steps.append(step)  # the usual case costs nothing; an old outlier may leave later
            return
        self._steps.append(step)
        median = sorted(self._steps)[len(self._steps) // 2]
        slack = max(SPREAD * median, 1)
        regular = [s for s in self._steps if abs(s - median) <= slack]
        self._mean = sum(regular) / len(regular)
        enough = len(self._steps) >= LEARN
        self._constant = enough and len(regular) >= REGULAR * len(self._steps)


class Numbers(Cadence):
    """Where stamps are numbers of pictures: every number that is skipped is a lost frame."""

    def lost(self, step: int) -> int:
        return step - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands."""

    pts: int
    """The stamp as it came, or the one that was filled in."""
    time: float
    """Seconds since the first picture."""
    missing: int
    """Frames known to be lost just before."""


class Timeline:
    """Places the pictures of one input in time, one after the other.

    numbered  True: a stamp is the picture's own number, so that each skipped one is known
    """

    def __init__(self, time_base: Fraction, counts: Counts, *, numbered: bool = False) -> None:
        self._tick = time_base
        self._counts = counts
        self._cadence = Numbers() if numbered else Cadence()
        self._first: int | None = None
        self._last = 0  # unwrapped ticks of the last placed picture
        self._offset = 0  # what is added to a stamp: clock wraps and restarts
        self._broken = False
        self._guessed = False  # the first picture had no stamp

    def restart(self) -> None:
        """The stream was opened again: its stamps begin anew, the time goes on by the clock."""
        self._broken = True

    def place(self, pts: int | None, *, duration: int = 0, elapsed: float | None = None) -> Place | None:
        """Where this picture stands; None: it has no place, its stamp is not later than the last.

        pts       ticks; None where the container has none
        duration  ticks that the container gives the picture, 0 unknown
        elapsed   live sources: monotonic seconds since the last picture arrived
        """
        if pts is None:
            pts = self._fill(duration)
        elif self._guessed:
            self._anchor(pts, duration)
        if self._first is None:
            self._first = self._last = pts
            return Place(pts, 0.0, 0)
        missing = self._bridge(pts, elapsed)
        if missing is None:
            self._counts.disordered += 1
            return None
        self._counts.missing += missing
        self._last = pts + self._offset
        return Place(pts, float((self._last - self._first) * self._tick), missing)

    def _fill(self, duration: int) -> int:
        self._counts.filled_pts += 1
        if self._first is None or self._broken:  # RTSP gives the first picture of a connection no stamp
            self._guessed = True
            return 0
        return self._last - self._offset + max(duration or round(self._cadence.interval), 1)

    def _anchor(self, pts: int, duration: int) -> None:
        """The first real stamp after pictures without one: it follows them, wherever its clock stands."""
        self._guessed = False
        if not 0 < (pts + self._offset - self._last) * self._tick < 1:
            self._offset = self._last + max(duration, 1) - pts

    def _bridge(self, pts: int, elapsed: float | None) -> int | None:
        """Frames missing before this stamp; None: it does not come after the last."""
        step = pts + self._offset - self._last
        if self._broken or self._jumped(step, elapsed):
            return self._resume(pts, elapsed)
        if step <= 0 and self._tick == MPEG_TICK and 0 < step + WRAP < 60 / MPEG_TICK:
            self._offset += WRAP
            step += WRAP
        if step <= 0:
            return None
        missing = self._cadence.lost(step)
        self._cadence.learn(step)
        return missing

    def _jumped(self, step: int, elapsed: float | None) -> bool:
        wrapped = self._tick == MPEG_TICK and 0 < step + WRAP < 60 / MPEG_TICK
        ahead = elapsed is not None and step * self._tick > elapsed + AHEAD_S
        return ahead or (step * self._tick <= -RESET_S and not wrapped)

    def _resume(self, pts: int, elapsed: float | None) -> int:
        """Continue after a jump: by the monotonic clock if live, else one interval on."""
        interval = max(self._cadence.interval, 1.0)
        step = max(round(elapsed / self._tick) if elapsed is not None else 0, round(interval))
        self._offset = self._last + step - pts
        self._broken = False
        self._counts.discontinuities += 1
        return max(round(step / interval) - 1, 1) if self._cadence.interval else 1
