"""What else happened around a movement that could be mistaken for it, measured and named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.au_motion import UNIT_MOTIONS, UNIT_NAMES
from ..engine.motion import Motion
from ..engine.regions import GROUP_OF, GROUPS, members
from .events import FLAGS
from .span import AFTER_S, BEFORE_S
from .track_history import TrackHistory

Array = NDArray[np.float32]

BLINK_DIP = 0.35
"""Share by which the lid gap falls below its usual value in a blink."""
HALF_BLINK_DIP = 0.1
"""The same where the lids' discs have changed their look as well ..."""
LID_SEEN = 0.6
"""... both to under this."""
BLINK_LEAK = 0.5
"""Percent of OED by which a blink moves brows and cheeks, in themselves or in the tracking."""
IN_STEP = (0.2, 0.5)
"""Share of the movement with the lids down: from none of it to all of it would be the blink's."""
GAZE_SHIFT = 0.06
"""Eye widths the irises move in a shift of gaze; the lids follow them."""
TURN_LEAK, SHIFT_LEAK = 0.12, 0.03
"""Share of a head turn, and of a head shift, that may be left after its removal."""
FLICKER = 0.012
"""Relative ripple of the brightness from frame to frame."""
SMALL_OED = 48.0
"""Pixels: below it one percent of the eye distance is under half a pixel."""
SPEECH_MOTION = 0.9
"""Percent of OED by which mouth or chin move outside the window while someone speaks or chews."""
SWALLOWED = {"17": 1.0, "24": 0.6}
"""A swallow as the face shows it: the chin is raised, the lips are pressed together."""
SWALLOW_LIKE = (0.7, 0.9)
"""Cosine between a movement and SWALLOWED: from nothing of it to all of it ..."""
SWALLOW_S = (0.34, 0.42)
"""... and seconds from onset to offset: a swallow takes half a second and more, a chin raiser may; ..."""
SWALLOW_LONGEST_S = 1.2
"""... longer than this it is neither."""
MOUTH = members("mouth", "chin")
LOWER_FACE = np.isin(GROUP_OF, [GROUPS.index("mouth"), GROUPS.index("chin"), GROUPS.index("cheek")])
EYES = np.isin(GROUP_OF, [GROUPS.index("eye")])
AROUND_EYES = np.isin(GROUP_OF, [GROUPS.index("eye"), GROUPS.index("cheek")])
SWALLOW = np.sum(
    [share * UNIT_MOTIONS[UNIT_NAMES.index(name)] for name, share in SWALLOWED.items()], axis=0
)


@dataclass(frozen=True, slots=True)
class Confounds:
    """Each 0 (absent) to 1 (would explain the movement) unless said otherwise."""

    blink: float
    """Overlap with a blink, weighed by how much of the movement lies around the eyes."""
    gaze: float
    speech: float
    swallow: float
    """A long movement of the chin and lips as in swallowing."""
    head: float
    gap: bool
    """Frames are missing inside the window."""
    flicker: bool
    small_face: bool
    low_rate: bool
    """Fewer than three frames from onset to apex."""

    def flags(self) -> tuple[str, ...]:
        """Names of those present, in the order of FLAGS."""
        present = {
            "blink": self.blink > 0.05,
            "gaze": self.gaze > 0.3,
            "speech": self.speech > 0.3,
            "swallow": self.swallow > 0.3,
            "head": self.head > 0.3,
            "gap": self.gap,
            "flicker": self.flicker,
            "small_face": self.small_face,
            "low_rate": self.low_rate,
        }
        return tuple(name for name in FLAGS if present.get(name))


def look_for_confounds(
    history: TrackHistory, direction: Array, onset: float, apex: float, offset: float, amplitude: float
) -> Confounds:
    """Measure them around a movement; times in seconds, amplitude and direction in percent of OED."""
    inside = history.between(onset, offset)
    before = history.between(onset - BEFORE_S, onset)
    after = history.between(offset, offset + AFTER_S)
    return Confounds(
        blink=_blink(history, onset, offset, _share(direction, AROUND_EYES), amplitude),
        gaze=_gaze(inside) * _share(direction, EYES),
        speech=_speech(before, after, direction, amplitude),
        swallow=_swallow(direction, offset - onset),
        head=_head(inside, amplitude),
        gap=any(m.missing for m in inside[1:]),
        flicker=_ripple(inside) > FLICKER,
        small_face=inside[0].face.oed < SMALL_OED,
        low_rate=len(history.between(onset, apex)) < 3,
    )


def _share(direction: Array, regions: NDArray[np.bool_]) -> float:
    energy = (direction**2).sum(axis=1)
    return float(energy[regions].sum() / energy.sum())


def outside_motion(history: TrackHistory, onset: float, offset: float, regions: NDArray[np.bool_]) -> float:
    """How far some regions (K,) move just before or after a movement, percent of OED."""
    before = history.between(onset - BEFORE_S, onset)
    after = history.between(offset, offset + AFTER_S)
    return max(_spread(before, regions, True), _spread(after, regions, False))


def _spread(records: list[Motion], regions: NDArray[np.generic], from_end: bool) -> float:
    """Largest distance of the regions from where they are at the window's edge, percent of OED."""
    if len(records) < 2:
        return 0.0
    shift = np.stack([m.shift[regions] for m in records])  # (n, k, 2)
    edge = shift[-1] if from_end else shift[0]
    return float(np.quantile(np.sqrt(((shift - edge) ** 2).sum(axis=-1).mean(axis=1)), 0.9))


def blinking(history: TrackHistory) -> NDArray[np.bool_]:
    """(n,) where the lids are down: the lid gap has fallen far, or has fallen while the lids' discs have
    changed their look (landmarks follow a quick blink only part of the way).
    """
    gap, seen = history.lids.T
    dip = 1 - gap / max(float(np.median(gap)), 1e-6)
    return np.asarray((dip > BLINK_DIP) | ((dip > HALF_BLINK_DIP) & (seen < LID_SEEN)))


def _blink(
    history: TrackHistory, onset: float, offset: float, around_eyes: float, amplitude: float
) -> float:
    """How well a blink would explain it: what lies around the eyes, or is small and in step with it."""
    time = history.time
    shut = blinking(history)[(time >= onset) & (time <= offset)]
    if not shut.any():
        return 0.0
    low, high = IN_STEP
    in_step = float(np.clip((shut.mean() - low) / (high - low), 0, 1))
    return max(0.1 + 0.9 * around_eyes, in_step * min(BLINK_LEAK / amplitude, 1.0))


def _gaze(inside: list[Motion]) -> float:
    looks = np.array([m.gaze for m in inside])
    return float(np.clip(np.ptp(looks, axis=0).max() / GAZE_SHIFT - 1, 0, 1))


def _speech(before: list[Motion], after: list[Motion], direction: Array, amplitude: float) -> float:
    outside = max(_spread(before, MOUTH, True), _spread(after, MOUTH, False))
    if outside < SPEECH_MOTION:
        return 0.0
    return float(np.clip(outside / amplitude, 0, 1) * (0.3 + 0.7 * _share(direction, LOWER_FACE)))


def _swallow(direction: Array, duration: float) -> float:
    if duration > SWALLOW_LONGEST_S:
        return 0.0
    return _ramp(swallow_likeness(direction), SWALLOW_LIKE) * _ramp(duration, SWALLOW_S)


def swallow_likeness(direction: Array) -> float:
    """Cosine between a movement (K, 2) and a swallow's."""
    lengths = float(np.linalg.norm(direction) * np.linalg.norm(SWALLOW))
    return float((direction * SWALLOW).sum()) / lengths if lengths else 0.0


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def _head(inside: list[Motion], amplitude: float) -> float:
    heads = np.stack([m.head for m in inside])
    travel = np.ptp(heads, axis=0)
    leak = TURN_LEAK * float(np.hypot(travel[3], travel[4])) + SHIFT_LEAK * float(np.hypot(*travel[:2]))
    return float(np.clip(leak / amplitude, 0, 1))


def _ripple(inside: list[Motion]) -> float:
    light = np.array([m.light for m in inside])
    if len(light) < 4:
        return 0.0
    bend = light[1:-1] - 0.5 * (light[:-2] + light[2:])
    return float(np.abs(bend).mean() / max(light.mean(), 1.0))
