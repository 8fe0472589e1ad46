"""The places of the face whose movement is followed in every frame.

Each is a small disc around one or a few mesh points; what a FACS coder looks at: brows, lids,
cheeks, nose, lips, chin, and between them the places that stay where the skull is.
Right and left are the SUBJECT's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """One disc of skin."""

    name: str
    group: str
    """brow, eye, cheek, nose, mouth, chin: facial; still: bone, follows the head alone."""
    points: tuple[int, ...]
    """Mesh points whose mean is the centre."""
    stiffness: float = 0.1
    """How much it counts in the fit of head motion: 1 over bone."""


def _pair(
    name: str, group: str, right: tuple[int, ...], left: tuple[int, ...], stiffness: float = 0.1
) -> tuple[Region, Region]:
    return (
        Region(f"right {name}", group, right, stiffness),
        Region(f"left {name}", group, left, stiffness),
    )


REGIONS: tuple[Region, ...] = (
    *_pair("inner brow", "brow", (107, 55), (336, 285)),
    *_pair("middle brow", "brow", (105, 52), (334, 282)),
    *_pair("outer brow", "brow", (63, 46), (293, 276)),
    *_pair("forehead", "brow", (69, 108), (299, 337)),
    Region("glabella", "brow", (9, 8)),
    *_pair("upper lid", "eye", (27, 28), (257, 258), 0.0),
    *_pair("lower lid", "eye", (230, 24), (450, 254), 0.0),
    *_pair("cheek below the eye", "cheek", (118, 50), (347, 280)),
    *_pair("cheek", "cheek", (205, 207), (425, 427)),
    *_pair("inner eye corner", "still", (133, 243), (362, 463), 1.0),
    *_pair("outer eye corner", "still", (130, 226), (359, 446), 0.5),
    *_pair("temple", "still", (143, 111), (372, 340), 0.5),
    *_pair("side of the cheek", "still", (123, 147), (352, 376), 0.3),
    Region("root of the nose", "still", (168, 6), 1.0),
    Region("bridge of the nose", "still", (197, 195), 1.0),
    Region("tip of the nose", "still", (4, 5), 0.6),
    *_pair("side of the nose", "nose", (198, 217), (420, 437)),
    *_pair("nostril", "nose", (129, 98), (358, 327)),
    *_pair("fold beside the mouth", "mouth", (206, 216), (426, 436)),
    Region("middle of the upper lip", "mouth", (164, 0)),
    *_pair("upper lip", "mouth", (40, 92), (270, 322)),
    *_pair("mouth corner", "mouth", (61, 57), (291, 287)),
    *_pair("lower lip", "mouth", (91, 84), (321, 314)),
    Region("middle of the lower lip", "mouth", (17, 18)),
    Region("chin", "chin", (200, 199)),
    *_pair("side of the chin", "chin", (204, 211), (424, 431)),
)

NAMES = tuple(region.name for region in REGIONS)
GROUPS = tuple(dict.fromkeys(region.group for region in REGIONS))
GROUP_OF = np.array([GROUPS.index(region.group) for region in REGIONS])
STIFFNESS = np.array([region.stiffness for region in REGIONS], np.float32)


_MEMBERS = np.concatenate([region.points for region in REGIONS])
_COUNTS = np.array([[len(region.points)] for region in REGIONS], np.float32)
_STARTS = np.cumsum([0, *(len(region.points) for region in REGIONS[:-1])])


def centres(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Centres of the regions, (K, 3), in the unit of the points (478, 3)."""
    return np.add.reduceat(points[_MEMBERS], _STARTS, axis=0).astype(np.float32) / _COUNTS


def members(*groups: str) -> NDArray[np.intp]:
    """Numbers of the regions of these groups."""
    return np.array([k for k, r in enumerate(REGIONS) if r.group in groups], np.intp)
