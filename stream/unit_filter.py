"""How strongly a pulse looks like an action unit: all regions that a muscle moves, weighed together.

A weak movement stands out in no region by itself. Its regions move in a known proportion, so the sum
of their shifts, each weighed by that proportion over the noise, stands out where no single one does
(matched filter; Kay, Detection Theory, 1998, chapter 4), and where noise moves many regions in step,
the others tell how much of it is in these (`joint_noise.py`). What is left in the sum is measured on
the face at hand like every other noise.

in    pulses (R, K, 2) of one moment at R reaches, and the precision (R, 2 K, 2 K) of their noise
out   (R, T) how far each of T units stands out, in standard deviations; below 0 it moved back
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import UNIT_MOTIONS, UNIT_NAMES
from ..engine.regions import GROUP_OF, GROUPS
from .joint_noise import blind_to
from .noise_floor import NUMBER, NoiseFloor

Array = NDArray[np.float32]

TOGETHER = (
    ("1", "2"), ("1", "4"), ("1", "2", "4"), ("4", "7"), ("6", "12"), ("9", "10"), ("15", "17"),
    ("25", "26"), ("4", "9"),
)  # fmt: skip
"""Units that often come together (FACS investigator's guide); each pair stands beside its parts."""
LID_UNITS = ("5", "7")
"""Units that are looked for with the lids as well."""
LEAST = 1.0
"""Standard deviations that a sum counts as at least. Where the covariance is known well sums vary by less:
that is not counted, as what is known comes from the same few seconds."""
LIDS = np.isin(GROUP_OF, [GROUPS.index("eye")])
"""(K,) regions that only the eyes' filters look at: they follow every shift of gaze."""


def templates() -> dict[str, Array]:
    """Name -> (K, 2) pattern: every unit right, left and both, and those of TOGETHER."""
    rows = dict(zip(UNIT_NAMES, UNIT_MOTIONS, strict=True))
    numbers = dict.fromkeys(name.rstrip("LR") for name in UNIT_NAMES)
    whole = {n: rows[n] if n in rows else rows[f"{n}R"] + rows[f"{n}L"] for n in numbers}
    return rows | whole | {"+".join(units): sum(whole[n] for n in units) for units in TOGETHER}


def of_the_face() -> dict[str, Array]:
    """The same of the face without the lids; AU5, which moves them alone, is not among them."""
    bare = {name: np.where(LIDS[:, None], 0, pattern) for name, pattern in templates().items()}
    return {name: pattern for name, pattern in bare.items() if np.abs(pattern).sum() > 1.0}


def of_the_lids() -> dict[str, Array]:
    """The same of the units that move the lids, with them."""
    return {
        f"{name} lids": pattern for name, pattern in templates().items() if name.rstrip("LR") in LID_UNITS
    }


_FACE, _LIDS = of_the_face(), of_the_lids()
NAMES = (*_FACE, *_LIDS)
PATTERNS = np.stack([*_FACE.values(), *_LIDS.values()]).astype(np.float32)
MEMBERS: Mapping[str, slice] = {"face": slice(len(_FACE)), "eyes": slice(len(_FACE), None)}
"""Each channel's patterns."""


class UnitFilter:
    """The matched filters of one face."""

    def __init__(self, reaches: int) -> None:
        self._spread = _spread(reaches)
        self._weights = np.zeros((reaches, len(NAMES), PATTERNS[0].size), np.float32)
        self.precision: Mapping[str, Array] = {}
        """Channel -> (R, 2 K, 2 K) of the noise of the regions that it looks at; 0 for the others."""

    def weigh(self, precision: Array) -> None:
        """Set the weights for the regions' noise, (R, 2 K, 2 K)."""
        self.precision = {"face": blind_to(precision, LIDS), "eyes": precision}
        flat = PATTERNS.reshape(len(PATTERNS), -1)
        for channel, members in MEMBERS.items():
            # One small product for each pattern: a large one would call OpenBLAS's threads.
            weights = (self.precision[channel][:, None] @ flat[members, :, None])[..., 0]  # (R, T, 2 K)
            size = np.sqrt((weights * flat[members]).sum(axis=2, keepdims=True))
            self._weights[:, members] = weights / size

    def __call__(self, pulses: Array) -> Array:
        """(R, T) standard deviations by the noise of the regions, each and together."""
        return np.asarray((self._weights @ pulses.reshape(len(pulses), -1, 1))[:, :, 0], np.float32)

    def standing_out(self, sums: Array) -> Array:
        """(R, T) the same by what such sums usually are on this face."""
        return np.asarray(sums / self._spread.level, np.float32)

    def learn(self, moment: float, sums: Array) -> None:
        """One more moment of what is usual."""
        self._spread.push(moment, np.abs(sums))

    def begin_again(self, pulses: Array) -> None:
        """What is usual, by the weights of now: those before were for a noise that was only assumed.

        pulses  (R, n, 2 K) of the moments seen so far
        """
        self._spread = _spread(len(pulses))
        for one in pulses.transpose(1, 0, 2):
            self.learn(-np.inf, self(one))


def _spread(reaches: int) -> NoiseFloor:
    return NoiseFloor((reaches, len(NAMES)), LEAST, LEAST, NUMBER)
