"""How the noises of the regions go together, on the face at hand.

A codec that moves a block of skin late, a head turn that was not taken out whole, move many regions in
step: noise that a sum over regions does not average away, but that a weighted difference of them can
cancel. Its covariance is measured on this face's own pulses, loaded with independent noise so that few
samples are believed little (adaptive matched filter with diagonal loading; Carlson, IEEE Trans. AES 24,
1988; Robey et al., IEEE Trans. AES 28, 1992).

A movement that is repeated within those seconds is in part taken for noise: clipping bounds that, and so
does the load.

in    pulses (R, K, 2) at R reaches, every 25 ms or frame, and the noise (R, K) of the regions by themselves
out   precision (R, 2 K, 2 K): the inverse of their covariance, that filters over all regions are made of
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .noise_floor import MEMORY_S, STEP_S
from .track_history import K

Array = NDArray[np.float32]

LOAD = 600.0
"""Samples of independent noise that are believed beside at most 480 of the face: many, since movements
are among the latter (docs/spotting.md has what others gave)."""
AT_ONCE = 24
"""Samples in one product: for larger ones OpenBLAS calls its threads, which wait in circles afterwards and
take the cores from the stages beside this one."""
CLIP = 3.0
"""Standard deviations at which a sample of a region is clipped: what goes beyond is a movement."""


class JointNoise:
    """The last seconds of one face's pulses, and how they go together."""

    def __init__(self, reaches: int) -> None:
        self._pulses = np.empty((reaches, round(MEMORY_S / STEP_S), 2 * K), np.float32)
        self._count = 0

    def push(self, pulses: Array) -> None:
        """Take one more moment in, (R, K, 2)."""
        self._pulses[:, self._count % self._pulses.shape[1]] = pulses.reshape(len(pulses), -1)
        self._count += 1

    @property
    def pulses(self) -> Array:
        """(R, n, 2 K) of the n moments that are remembered, in no order."""
        return self._pulses[:, : self._count]

    def precision(self, noise: Array) -> Array:
        """(R, 2 K, 2 K) per squared percent of OED; x and y of a region stand side by side.

        noise  (R, K) standard deviation of each region by itself
        """
        scale = np.repeat(noise, 2, axis=1)[:, None]  # (R, 1, 2 K)
        known = self.pulses.shape[1]
        white = np.clip(self.pulses / scale, -CLIP, CLIP)
        together = np.tile(np.float32(LOAD) * np.eye(2 * K, dtype=np.float32), (len(noise), 1, 1))
        for first in range(0, known, AT_ONCE):
            some = white[:, first : first + AT_ONCE]
            together += some.transpose(0, 2, 1) @ some
        together /= np.float32(known + LOAD)
        # Inverted before it is scaled: its eigenvalues then lie between the load's share and some hundred.
        return np.asarray(np.linalg.inv(together) / (scale.transpose(0, 2, 1) * scale), np.float32)


def blind_to(precision: Array, hidden: NDArray[np.bool_]) -> Array:
    """The precision (R, 2 K, 2 K) where some regions (K,) are not looked at at all; 0 for them.

    The inverse of the covariance of the others, by the Schur complement.
    """
    rows = np.flatnonzero(np.repeat(hidden, 2))
    across = precision[:, :, rows]  # (R, 2 K, h)
    corner = np.linalg.inv(across[:, rows])
    rest = precision - across @ corner @ across.transpose(0, 2, 1)
    rest[:, rows], rest[:, :, rows] = 0, 0
    return np.asarray(rest, np.float32)
