"""How much each region of this face seems to move while nothing happens: camera, codec, person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .track_history import K

Array = NDArray[np.float32]

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


class NoiseFloor:
    """What this face's regions do while nothing happens: a running median per region and reach."""

    def __init__(self, reaches: int) -> None:
        size = round(MEMORY_S / STEP_S)
        self._samples = np.empty((size, reaches, K), np.float32)
        self._count = 0
        self._next = -np.inf
        self._level = np.full((reaches, K), FIRST_NOISE, np.float32)

    def is_due(self, moment: float) -> bool:
        """True: a sample is wanted."""
        return moment >= self._next

    def push(self, moment: float, lengths: Array) -> None:
        """lengths: (R, K) sizes of the pulses at this moment, percent of OED."""
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
