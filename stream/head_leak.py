"""What is left of the head's motion in each region after its removal, learned for the face at hand.

The rigid fit knows the mesh's depth, not this person's: a sway then leaves a few percent of itself in
the cheeks and the chin, in step with the head. That share is found by least squares over the last
seconds (exponentially forgotten, with outliers clipped so that an expression teaches it nothing) and
taken out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .track_history import HEAD, K

Array = NDArray[np.float32]

MEMORY_S = 10.0
"""Seconds, time constant of forgetting."""
RIDGE = 4.0
"""Squared percent of OED, summed over samples, that the head must have moved before it is believed."""
CLIP = 3.0
"""Standard deviations beyond which a sample is an expression, not a leak."""


class HeadLeak:
    """Running regression of the regions' pulses on the head's."""

    def __init__(self) -> None:
        self._heads = np.zeros((2 * HEAD, 2 * HEAD))
        self._both = np.zeros((2 * HEAD, 2 * K))
        self._moment = -np.inf
        self.share = np.zeros((2 * HEAD, 2 * K), np.float32)
        """(6, 2 K) percent of OED in a region per unit of head motion."""

    def learn(self, moment: float, pulses: Array, noise: Array) -> None:
        """Take one more moment in.

        pulses  (R, K + HEAD, 2) at several reaches; noise  (R, K) standard deviations
        """
        keep = np.exp((self._moment - moment) / MEMORY_S)
        self._moment = moment
        limit = CLIP * noise[:, :, None]
        regions = np.clip(pulses[:, :K], -limit, limit).reshape(len(pulses), -1)
        head = pulses[:, K:].reshape(len(pulses), -1)
        self._heads = keep * self._heads + head.T @ head
        self._both = keep * self._both + head.T @ regions
        self.share = np.linalg.solve(self._heads + RIDGE * np.eye(2 * HEAD), self._both).astype(np.float32)

    def without(self, shift: Array) -> Array:
        """Regions (..., K, 2) of an array (..., K + HEAD, 2), less what the head explains."""
        head = shift[..., K:, :].reshape(*shift.shape[:-2], 2 * HEAD)
        return shift[..., :K, :] - (head @ self.share).reshape(*shift.shape[:-2], K, 2)
