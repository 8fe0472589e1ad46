"""How strongly a pulse looks like an action unit: all regions that a muscle moves, weighed together.

A weak movement stands out in no region by itself. Its regions move in a known proportion, so the sum
of their shifts, each weighed by that proportion over its noise, stands out where no single one does
(matched filter; Kay, Detection Theory, 1998, chapter 4). What noise in step, the codec's or the head's,
leaves in the sum is measured on the face at hand like every other noise.

in    pulses (R, K, 2) of one moment at R reaches, and the noise (R, K) of the regions
out   (R, T) how far each of T units stands out, in standard deviations; below 0 it moved back
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import UNIT_MOTIONS, UNIT_NAMES
from ..engine.regions import GROUP_OF, GROUPS
from .noise_floor import NUMBER, NoiseFloor

Array = NDArray[np.float32]

TOGETHER = (
    ("1", "2"), ("1", "4"), ("1", "2", "4"), ("4", "7"), ("6", "12"), ("9", "10"), ("15", "17"),
    ("25", "26"), ("4", "9"),
)  # fmt: skip
"""Units that often come together (FACS investigator's guide); each pair stands beside its parts."""
LEAST = 1.0
"""Standard deviations: a sum of independent noises has one; less would be a fault of the floor beneath."""


def templates() -> tuple[tuple[str, ...], Array]:
    """Names, and (T, K, 2) patterns of the face without the lids: every unit right, left and both, and
    those of TOGETHER.
    """
    rows = dict(zip(UNIT_NAMES, UNIT_MOTIONS, strict=True))
    numbers = dict.fromkeys(name.rstrip("LR") for name in UNIT_NAMES)
    whole = {n: rows[n] if n in rows else rows[f"{n}R"] + rows[f"{n}L"] for n in numbers}
    rows |= whole
    rows |= {"+".join(units): np.sum([whole[n] for n in units], axis=0) for units in TOGETHER}
    lids = np.isin(GROUP_OF, [GROUPS.index("eye")])
    patterns = np.stack([np.where(lids[:, None], 0, pattern) for pattern in rows.values()])
    seen = np.abs(patterns).sum(axis=(1, 2)) > 1.0  # AU5 moves the lids alone
    names = tuple(name for name, keep in zip(rows, seen, strict=True) if keep)
    return names, np.asarray(patterns[seen], np.float32)


NAMES, PATTERNS = templates()


class UnitFilter:
    """The matched filters of one face."""

    def __init__(self, reaches: int) -> None:
        self._spread = NoiseFloor((reaches, len(NAMES)), LEAST, LEAST, NUMBER)
        self._weights = np.zeros((reaches, len(NAMES), PATTERNS[0].size), np.float32)

    def weigh(self, noise: Array) -> None:
        """Set the weights for the regions' noise (R, K)."""
        white = PATTERNS[None] / noise[:, None, :, None]  # (R, T, K, 2)
        size = np.sqrt((white**2).sum(axis=(2, 3), keepdims=True))
        weights = white / size / noise[:, None, :, None]
        self._weights = weights.reshape(self._weights.shape)

    def __call__(self, pulses: Array) -> Array:
        """(R, T) standard deviations by the regions' noise alone."""
        return np.asarray((self._weights @ pulses.reshape(len(pulses), -1, 1))[:, :, 0], np.float32)

    def standing_out(self, sums: Array) -> Array:
        """(R, T) the same by what such sums usually are on this face."""
        return np.asarray(sums / self._spread.level, np.float32)

    def learn(self, moment: float, sums: Array) -> None:
        """One more moment of what is usual."""
        self._spread.push(moment, np.abs(sums))
