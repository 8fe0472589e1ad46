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
from .unit_filter import LID_UNITS, MEMBERS, PATTERNS

Array = NDArray[np.float32]

TAKES_PART = 3.0
"""Times its noise that a region must move to take part in a movement."""
BELONGS = 0.2
"""Share of a unit's greatest shift from which a region belongs to the unit."""
UNITS_FACTOR = 1.25
"""Standard deviations of a unit's sum that weigh as much as one of a region: the best of many sums at four
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
KINDS = ("regions", "units")
"""What a movement is found by: two regions of a group that stand out, or a whole unit in which none may."""
MUSCLES: Mapping[str, tuple[str, ...]] = {"face": tuple(MOVES), "eyes": LID_UNITS}
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
    precision: Mapping[str, Array]
    """Channel -> (R, 2 K, 2 K) inverse covariance of the noise; 0 for regions that it does not look at."""


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """A moment that stands out."""

    moment: float
    strength: float
    """Over noise: of what it was found by."""
    regions: float
    """Of the second best region of a group, over its noise."""
    units: float
    """Of the best unit, standard deviations."""
    coherence: float
    """0..1, share of what the channel's regions show over their noise that the best unit explains."""
    direction: Array
    """(K, 2) pulse of the regions that took part: those of the channel that stand out, or of the unit; 0
    elsewhere."""
    noise: Array
    """(K,) standard deviation of each region, percent of OED."""
    weights: Array
    """(K, 2) that show this movement best against the noise: their sum over a face's displacement is 1 for
    `direction`."""
    channel: str
    kind: str
    """One of KINDS, by which it was found."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Standout:
    """What stands out most in a channel at a moment."""

    moment: Moment
    channel: str
    regions: float
    """Of the second best region of a group, over its noise ..."""
    at_regions: int
    """... and its reach."""
    units: float
    """Of the best unit, standard deviations, ..."""
    at_units: int
    unit: int
    """... its reach and number."""

    def strength(self, kind: str) -> float:
        """Over noise, by one of KINDS."""
        return self.regions if kind == "regions" else self.units / UNITS_FACTOR


def standout(moment: Moment, channel: str) -> Standout:
    """The best regions and the best unit of a channel."""
    members = MEMBERS[channel]
    units = moment.units[:, members]
    at_units, best = divmod(int(units.argmax()), units.shape[1])
    regions = strongest(moment.lengths / moment.noise, channel)
    unit = best + (members.start or 0)
    return Standout(moment, channel, *regions, float(units[at_units, best]), at_units, unit)


def as_peak(best: Standout, kind: str) -> Peak | None:
    """The movement that stands out, by one of KINDS; None where a unit's regions go against it without
    the others.
    """
    moment, channel = best.moment, best.channel
    reach = best.at_regions if kind == "regions" else best.at_units
    pulse, noise = moment.pulses[reach], moment.noise[reach]
    taking = _takes_part(moment, reach, channel) if kind == "regions" else BELONGING[best.unit]
    direction = pulse * taking[:, None]
    # By its unit a weak movement is followed along the unit: what it shows itself is half noise.
    along = direction if kind == "regions" else PATTERNS[best.unit]
    precision = moment.precision[channel][reach]
    weights = (precision @ along.ravel()).reshape(K, 2)
    size = float((weights * direction).sum())
    if size <= 0:
        return None
    coherence = _coherence(pulse.ravel(), PATTERNS[best.unit].ravel(), precision)
    return Peak(
        moment.time, best.strength(kind), best.regions, best.units, coherence, direction, noise,
        weights / size, channel, kind,
    )  # fmt: skip


def _coherence(pulse: Array, unit: Array, precision: Array) -> float:
    """Squared cosine between a pulse and a unit's pattern, both (2 K,), in the measure of the noise
    (adaptive coherence estimator; Kraut and Scharf, IEEE Trans. SP 47, 1999).
    """
    weighed = precision @ unit
    return float((weighed @ pulse) ** 2 / ((weighed @ unit) * (pulse @ precision @ pulse)))


def _takes_part(moment: Moment, reach: int, channel: str) -> NDArray[np.bool_]:
    """(K,) the channel's regions that move by more than noise."""
    mask = np.zeros(K, bool)
    here = np.concatenate(CHANNELS[channel])
    mask[here] = moment.lengths[reach, here] > TAKES_PART * moment.noise[reach, here]
    return mask


def _belonging() -> NDArray[np.bool_]:
    sizes = np.hypot(PATTERNS[..., 0], PATTERNS[..., 1])  # (T, K)
    return np.asarray(sizes > BELONGS * sizes.max(axis=1, keepdims=True))


BELONGING = _belonging()
"""(T, K) regions of each unit of NAMES."""
