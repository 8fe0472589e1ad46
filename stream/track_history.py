"""The last few seconds of one face's motion, as arrays that a window can be cut from.

Samples carry their own times, so a dropped frame or a variable rate needs no care elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..engine.motion import Motion
from ..engine.regions import NAMES, REGIONS

Array = NDArray[np.float32]
K = len(REGIONS)
UPPER_LIDS = np.array([NAMES.index(f"{side} upper lid") for side in ("right", "left")])
HEAD = 3
"""Pairs that hold the head's six numbers, behind the regions: what they explain can be taken out."""


class TrackHistory:
    """A sliding window of Motion records."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first = 0
        self._count = 0
        self._time = np.empty(1024)
        self._shift = np.empty((1024, K + HEAD, 2), np.float32)
        self._lids = np.empty((1024, 2), np.float32)
        self.records: list[Motion] = []

    def append(self, motion: Motion) -> None:
        """Add the newest sample; samples older than `seconds` are let go."""
        if self._count == len(self._time):
            self._make_room()
        self._time[self._count] = motion.time
        self._shift[self._count, :K] = motion.shift
        self._shift[self._count, K:] = motion.head.reshape(HEAD, 2)
        self._lids[self._count] = sum(motion.eyes), motion.rest[UPPER_LIDS].max()
        self._count += 1
        self.records.append(motion)
        self._forget(motion.time - self._seconds)

    def _forget(self, before: float) -> None:
        while self._time[self._first] < before:
            self._first += 1
        surplus = len(self.records) - (self._count - self._first)
        if surplus > 64:  # in blocks: removing one by one from the front of a list is slow
            del self.records[:surplus]

    def _make_room(self) -> None:
        live = self._count - self._first
        size = max(1024, 2 * live)
        time, shift = np.empty(size), np.empty((size, K + HEAD, 2), np.float32)
        lids = np.empty((size, 2), np.float32)
        time[:live] = self._time[self._first : self._count]
        shift[:live] = self._shift[self._first : self._count]
        lids[:live] = self._lids[self._first : self._count]
        self._time, self._shift, self._lids, self._first, self._count = time, shift, lids, 0, live

    @property
    def time(self) -> NDArray[np.float64]:
        """(n,) seconds."""
        return self._time[self._first : self._count]

    @property
    def shift(self) -> Array:
        """(n, K + HEAD, 2) percent of OED."""
        return self._shift[self._first : self._count]

    @property
    def lids(self) -> Array:
        """(n, 2) lid gap over eye width, both eyes together; how well the upper lids were seen, 0..1."""
        return self._lids[self._first : self._count]

    @property
    def live(self) -> list[Motion]:
        """The n records, oldest first."""
        return self.records[len(self.records) - len(self.time) :]

    def between(self, start: float, end: float) -> list[Motion]:
        """Records with start <= time <= end."""
        time = self.time
        surplus = len(self.records) - len(time)
        low, high = np.searchsorted(time, [start, end + 1e-9])
        return self.records[surplus + low : surplus + high]

    def at(self, moment: float) -> Motion:
        """The record nearest in time."""
        time = self.time
        i = int(np.searchsorted(time, moment))
        if i > 0 and (i == len(time) or moment - time[i - 1] <= time[i] - moment):
            i -= 1
        return self.records[len(self.records) - len(time) + i]


@njit(cache=True, nogil=True)
def mean_around(time, shift, moment, half, out):  # type: ignore[no-untyped-def]
    """Mean displacement within `half` seconds of a moment, (K, 2) into `out`.

    Where no sample lies so near (a low rate), the line between the neighbours is read instead.
    """
    low = np.searchsorted(time, moment - half - 1e-9)
    high = np.searchsorted(time, moment + half + 1e-9)
    out[:] = 0.0
    if high > low:
        for i in range(low, high):
            out += shift[i]
        out /= np.float32(high - low)
        return
    i = min(max(low, 1), len(time) - 1)
    span = time[i] - time[i - 1]
    share = min(max((moment - time[i - 1]) / span, 0.0), 1.0) if span > 0 else 0.0
    out[:] = shift[i - 1] + np.float32(share) * (shift[i] - shift[i - 1])


@njit(cache=True, nogil=True)
def pulse(time, shift, moment, reach, half, out, work):  # type: ignore[no-untyped-def]
    """How far each region stands out at a moment from where it was and will be, (K, 2) into `out`.

    The middle less the mean of the moments `reach` seconds before and after: a movement that comes
    and goes gives its amplitude, a steady drift gives nothing, a lasting change gives half.
    """
    mean_around(time, shift, moment, half, out)
    mean_around(time, shift, moment - reach, half, work)
    out -= np.float32(0.5) * work
    mean_around(time, shift, moment + reach, half, work)
    out -= np.float32(0.5) * work
