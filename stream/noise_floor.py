"""How much a measure of this face varies while nothing happens: camera, codec and person."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FLOOR = 0.05
"""Percent of OED: the least noise of a region that is assumed, about 0.05 px of the crop."""
FIRST_NOISE = 0.15
"""Percent of OED, assumed until the noise of this face has been measured."""
LENGTH, NUMBER = 1.18, 0.6745
"""Median over the standard deviation per axis: of the length of a vector of two normally distributed
numbers (Rayleigh), and of the size of one."""
FIRST = 40
"""Samples of a new face before its own noise is known: a second, longer where frames are rare."""
MEMORY_S = 12.0
"""Seconds over which the noise is measured."""
STEP_S = 0.025
"""Seconds between samples of the noise."""
EVERY = 10
"""Samples between two looks at the median."""


def seconds_to_know(rate: float) -> float:
    """How long a face must be measured at so many frames a second before its own noise is known.

    >>> seconds_to_know(200), seconds_to_know(25)
    (1.0, 1.6)
    """
    return FIRST * math.ceil(round(STEP_S * rate, 6)) / rate


class NoiseFloor:
    """A running median, as a standard deviation, of each of several measures.

    shape   of the measures
    first   what is assumed until enough has been seen
    floor   the least that is assumed
    median  of the measure where its standard deviation is 1
    """

    def __init__(self, shape: tuple[int, ...], first: float, floor: float, median: float) -> None:
        self._samples = np.empty((round(MEMORY_S / STEP_S), *shape), np.float32)
        self._floor, self._median = floor, median
        self._count = 0
        self._next = -np.inf
        self._level = np.full(shape, first, np.float32)

    def is_due(self, moment: float) -> bool:
        """True: a sample is wanted."""
        return moment >= self._next

    def push(self, moment: float, sizes: Array) -> bool:
        """Take the sizes of the measures at this moment in; True where the level was set anew."""
        self._next = moment + STEP_S
        self._samples[self._count % len(self._samples)] = sizes
        self._count += 1
        known = min(self._count, len(self._samples))
        if known < FIRST or self._count % EVERY:
            return False
        level = np.median(self._samples[:known], axis=0) / self._median
        self._level = np.maximum(level, self._floor).astype(np.float32)
        return True

    @property
    def level(self) -> Array:
        """One standard deviation of each measure."""
        return self._level
