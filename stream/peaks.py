"""Where the signal stands out: the highest moments of each channel, by regions and by whole units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..engine.au_motion import MOVES
from ..engine.regions import GROUPS, members
from .track_history import K
from .unit_filter import NAMES, PATTERNS

Array = NDArray[np.float32]

TAKES_PART = 3.0
"""Times its noise that a region must move to take part in a movement."""
BELONGS = 0.2
"""Share of a unit's greatest shift from which a region belongs to the unit."""
UNITS_FACTOR = 1.25
"""Standard deviations of a unit's sum that weigh as much as one of a region: the best of 46 sums at four
reaches is higher by chance than the second best region of a group."""


def _numbered(groups: tuple[NDArray[np.intp], ...]) -> NDArray[np.int32]:
    """(K,) number of each region's group, -1 outside them."""
    numbers = np.full(K, -1, np.int32)
    for number, group in enumerate(groups):
        numbers[group] = number
    return numbers


CHANNELS: Mapping[str, tuple[NDArray[np.intp], ...]] = {
    "face": tuple(members(group) for group in GROUPS if group not in ("still", "eye")),
    "eyes": (members("eye"),),
}
"""Groups of regions that are searched apart: the lids follow every shift of gaze, and must not hide what
the rest of the face does."""
FACE = np.concatenate(CHANNELS["face"])
"""Numbers of the regions that muscles move, without the lids."""
GROUP_NUMBERS = {name: _numbered(groups) for name, groups in CHANNELS.items()}
MUSCLES: Mapping[str, tuple[str, ...]] = {"face": tuple(MOVES), "eyes": ("5", "7")}
"""Action units that can move a channel: the lids by themselves only rise or tighten; what else moves them
is a blink or the eyeball."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What was measured at one moment."""

    time: float
    pulses: Array
    """(R, K, 2) percent of OED at each reach."""
    lengths: Array
    """(R, K) of the pulses."""
    noise: Array
    """(R, K) standard deviation of each region."""
    units: Array
    """(R, T) how far each unit stands out, standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """A moment that stands out."""

    moment: float
    strength: float
    """Over noise: of the second best region of a group, or of the best unit where that is more."""
    regions: float
    """The first of these alone."""
    units: float
    """The second alone, standard deviations."""
    direction: Array
    """(K, 2) pulse of the channel's regions that took part; 0 elsewhere."""
    noise: Array
    """(K,) standard deviation of each region, percent of OED."""
    channel: str


def strongest(ratios: Array, channel: str = "face") -> tuple[float, int]:
    """The best group of a channel at the best reach: (its second highest ratio, reach).

    ratios  (R, K). Two regions of one group must stand out: a single one may be a fleck of noise.
    """
    best, reach = _second_best(ratios, GROUP_NUMBERS[channel], len(CHANNELS[channel]))
    return float(best), int(reach)


@njit(cache=True, nogil=True)
def _second_best(ratios, group, count):  # type: ignore[no-untyped-def]
    """(largest over reaches and groups of the second highest ratio in the group, its reach)."""
    best, reach = np.float32(0.0), 0
    first, second = np.empty(count, np.float32), np.empty(count, np.float32)
    for r in range(ratios.shape[0]):
        first[:] = 0.0
        second[:] = 0.0
        for k in range(ratios.shape[1]):
            g = group[k]
            if g < 0:
                continue
            if ratios[r, k] > first[g]:
                second[g] = first[g]
                first[g] = ratios[r, k]
            elif ratios[r, k] > second[g]:
                second[g] = ratios[r, k]
        for g in range(count):
            if second[g] > best:
                best, reach = second[g], r
    return best, reach


def find_peak(moment: Moment, channel: str, least: float) -> Peak | None:
    """What a channel shows at a moment; None where it does not stand out by `least`."""
    lengths = moment.lengths
    regions, reach = strongest(lengths / moment.noise, channel)
    units, unit = 0.0, None
    if channel == "face":
        r, t = divmod(int(moment.units.argmax()), moment.units.shape[1])
        units = float(moment.units[r, t])
        if units / UNITS_FACTOR > regions:
            reach, unit = r, t
    strength = max(regions, units / UNITS_FACTOR)
    if strength < least:
        return None
    mask = np.zeros(K, bool)
    here = np.concatenate(CHANNELS[channel])
    mask[here] = lengths[reach, here] > TAKES_PART * moment.noise[reach, here]
    if unit is not None:
        mask |= BELONGING[unit]
    direction = moment.pulses[reach] * mask[:, None]
    if not direction.any():
        return None
    return Peak(moment.time, strength, regions, units, direction, moment.noise[reach], channel)


def _belonging() -> NDArray[np.bool_]:
    sizes = np.hypot(PATTERNS[..., 0], PATTERNS[..., 1])  # (T, K)
    return np.asarray(sizes > BELONGS * sizes.max(axis=1, keepdims=True))


BELONGING = _belonging()
"""(T, K) regions of each unit of NAMES."""
__all__ = ["BELONGING", "CHANNELS", "FACE", "MUSCLES", "NAMES", "Moment", "Peak", "find_peak", "strongest"]
