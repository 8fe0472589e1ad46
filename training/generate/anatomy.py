"""Which muscle moves what: the action units as pulls on the skin, written from anatomy.

A muscle pulls the skin at its insertion towards its origin, most at the insertion and less with
distance, after the linear muscle of Waters (SIGGRAPH 1987), here with one reach for each of four
directions. Insertions, directions and what accompanies them follow what FACS describes for each unit;
the directions are checked against shapes measured on ICT-FaceKit, which know nothing of this table.

Everything is in the face frame of `mesh.canonical`: percent of the outer-eye-corner distance (OED),
x towards the subject's left, y down, z away from the camera. Units are written for the subject's left
half; the right half is the mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SEAM = 78.0
"""Height of the line between the lips on the average face."""
CORNER = (27.5, 78.3)
"""Left mouth corner of the average face."""


@dataclass(frozen=True, slots=True)
class Pull:
    """Skin around `centre` moves along `way`; the share falls to nothing at the reach."""

    centre: tuple[float, float]
    reach: tuple[float, float, float, float]
    """Towards the midline, away from it, up, down."""
    way: tuple[float, float, float]
    """Relative displacement at the centre."""
    part: str = "all"
    """'upper' or 'lower': only that side of the line between the lips."""
    main: bool = True
    """False: an accompanying movement, whose share differs from person to person."""


@dataclass(frozen=True, slots=True)
class Sink:
    """Skin around `centre` gathers towards it (a dimple) and sinks in."""

    centre: tuple[float, float]
    radius: float
    pull: float
    main: bool = True


@dataclass(frozen=True, slots=True)
class Lid:
    """A lid margin moves, with the skin of the lid behind it."""

    upper: bool
    way: tuple[float, float, float]
    skin: float
    """How far behind the margin the skin still moves."""
    main: bool = True


Action = Pull | Sink | Lid

ANATOMY: Mapping[int, tuple[Action, ...]] = {
    # Inner brow raiser: medial frontalis. The forehead above slides up and fades to the hairline.
    1: (
        Pull((15, -21), (31, 35, 47, 16), (0.05, -1, -0.1)),
        Pull((14, -40), (31, 36, 31, 22), (0.02, -0.45, 0), main=False),
        Pull((26, -9), (23, 23, 13, 9), (0, -0.25, 0), main=False),
    ),
    # Outer brow raiser: lateral frontalis; the skin below the brow tail is stretched.
    2: (
        Pull((48, -24), (35, 29, 44, 16), (0.12, -1, -0.1)),
        Pull((46, -42), (34, 29, 29, 22), (0.04, -0.45, 0), main=False),
        Pull((50, -10), (23, 18, 13, 10), (0, -0.3, 0), main=False),
    ),
    # Brow lowerer: corrugator draws the brow in and down, procerus and depressor pull the glabella down.
    4: (
        Pull((27, -22), (31, 44, 39, 18), (-0.68, 0.68, -0.15)),
        Pull((9, -17), (18, 18, 34, 20), (-0.3, 0.6, -0.3)),
        Pull((28, -9), (23, 29, 12, 8), (-0.12, 0.4, 0), main=False),
    ),
    # Upper lid raiser: levator palpebrae.
    5: (Lid(True, (0, -1, 0.1), 9),),
    # Cheek raiser: the orbital ring draws cheek and temple towards the eye.
    6: (
        Pull((36, 30), (36, 42, 31, 47), (-0.1, -1, -0.35)),
        Pull((62, 4), (18, 23, 23, 29), (-0.75, -0.15, -0.1)),
        Lid(False, (0, -0.55, 0), 12),
        Pull((58, -18), (23, 18, 16, 13), (-0.1, 0.25, 0), main=False),
    ),
    # Lid tightener: the inner ring raises the lower lid and narrows the eye.
    7: (
        Lid(False, (-0.45, -1, -0.1), 18),
        Lid(True, (0, 0.45, 0), 7),
        Pull((36, 16), (26, 29, 12, 22), (-0.3, -0.4, -0.15), main=False),
    ),
    # Nose wrinkler: skin at the side of the nose and the wing up, glabella down, upper lip follows.
    9: (
        Pull((16, 38), (21, 26, 34, 34), (-0.05, -1, -0.15)),
        Pull((8, 16), (12, 18, 29, 31), (-0.12, -0.55, -0.25)),
        Pull((14, 63), (23, 21, 26, 21), (0, -0.7, -0.05), part="upper"),
        Pull((11, -15), (18, 21, 26, 15), (-0.2, 0.5, -0.1)),
        Pull((32, 20), (26, 29, 21, 29), (-0.12, -0.5, -0.1), main=False),
    ),
    # Upper lip raiser: the lip beside the middle goes up, the furrow beside the wing deepens.
    10: (
        Pull((16, 66), (34, 22, 29, 23), (0.1, -1, -0.1), part="upper"),
        Pull((24, 46), (18, 26, 26, 31), (0.05, -0.5, -0.25)),
        Pull((15, 42), (16, 16, 16, 18), (0.05, -0.3, 0), main=False),
    ),
    # Lip corner puller: zygomaticus major, up and out; the cheek is pushed up before it.
    12: (
        Pull(CORNER, (35, 34, 39, 31), (0.58, -0.84, 0.15)),
        Pull((38, 56), (26, 39, 39, 34), (0.22, -0.55, -0.4)),
        Pull((16, 88), (23, 23, 18, 21), (0.22, -0.25, 0), part="lower", main=False),
        Pull((36, 24), (29, 34, 21, 29), (0, -0.2, -0.1), main=False),
        Lid(False, (0, -0.12, 0), 12, main=False),
    ),
    # Dimpler: buccinator draws the corner out and into the cheek; skin gathers at its side.
    14: (
        Sink((36, 77), 30, 1.0),
        Pull(CORNER, (23, 16, 18, 18), (0.6, -0.3, 0.5)),
        Pull((14, 86), (21, 16, 13, 16), (0.22, -0.08, 0), part="lower", main=False),
    ),
    # Lip corner depressor: triangularis.
    15: (
        Pull((28, 81), (29, 26, 26, 42), (0.18, 1, 0.05)),
        Pull((32, 102), (23, 26, 29, 29), (0.05, 0.35, -0.1)),
        Pull((14, 90), (21, 18, 16, 18), (0.12, 0.2, 0), part="lower", main=False),
    ),
    # Lower lip depressor: speech alone.
    16: (
        Pull((14, 88), (29, 23, 18, 34), (0.12, 1, 0.05), part="lower"),
        Pull((20, 108), (29, 23, 21, 23), (0.05, 0.3, 0), main=False),
    ),
    # Chin raiser: mentalis pushes the chin boss and with it the lower lip up.
    17: (
        Pull((0, 110), (39, 39, 44, 34), (0, -1, -0.25)),
        Pull((0, 86), (35, 35, 13, 21), (0, -0.45, -0.15), part="lower"),
        Pull((0, 72), (31, 31, 18, 10), (0, -0.3, -0.1), part="upper", main=False),
        Pull((26, 88), (21, 18, 21, 26), (0.05, 0.18, 0), main=False),
    ),
    # Lip pucker: speech alone.
    18: (
        Pull(CORNER, (34, 34, 34, 34), (-1, 0, -0.4)),
        Pull((8, 68), (23, 21, 16, 13), (-0.25, -0.25, -0.5), part="upper"),
        Pull((8, 90), (23, 21, 13, 18), (-0.25, 0.2, -0.5), part="lower"),
    ),
    # Lip stretcher: risorius and platysma, out and slightly down.
    20: (
        Pull(CORNER, (35, 39, 31, 34), (0.93, 0.28, 0.2)),
        Pull((18, 90), (23, 23, 18, 29), (0.42, 0.3, 0.1), part="lower", main=False),
        Pull((30, 104), (23, 26, 23, 23), (0.2, 0.3, 0), main=False),
    ),
    # Lip tightener: the red of both lips rolls in and narrows, the corners draw together a little.
    23: (
        Pull((6, 67), (31, 26, 14, 12), (-0.05, 0.85, 0.2), part="upper"),
        Pull((6, 91), (31, 26, 12, 16), (-0.05, -0.85, 0.2), part="lower"),
        Pull(CORNER, (21, 23, 21, 21), (-0.8, 0, 0.1)),
        Pull((0, 101), (31, 31, 13, 16), (0, -0.25, -0.1), main=False),
    ),
    # Lip presser: lips flattened against each other, the chin raised to do it, corners still.
    24: (
        Pull((0, 66), (36, 36, 17, 12), (0, 0.75, 0.2), part="upper"),
        Pull((0, 90), (36, 36, 12, 20), (0, -1, 0.15), part="lower"),
        Pull((0, 110), (36, 36, 31, 31), (0, -0.6, -0.2)),
    ),
    # Lips part: the lower lip drops from the upper.
    25: (
        Pull((0, 84), (36, 36, 16, 22), (0, 1, 0), part="lower"),
        Pull((0, 105), (34, 34, 23, 23), (0, 0.25, 0), main=False),
        Pull((0, 71), (34, 34, 13, 9), (0, -0.3, -0.05), part="upper", main=False),
    ),
    # Jaw drop: everything below the lips goes with the jaw; the cheeks lengthen.
    26: (
        Pull((0, 118), (86, 86, 81, 78), (0, 1, 0.1), part="lower"),
        Pull((0, 84), (38, 38, 21, 31), (0, 0.35, 0), part="lower"),
        Pull((34, 72), (29, 34, 47, 52), (-0.08, 0.3, 0.05), main=False),
    ),
    # Blink: only the direction; `closing` makes the margins meet on the person at hand.
    45: (
        Lid(True, (0, 1, -0.45), 12),  # over the eyeball, which bulges
        Lid(False, (-0.12, -0.1, 0), 8),
    ),
}  # fmt: skip

MIDLINE = (17, 18, 23, 24, 25, 26)
"""Units whose muscle works on both sides at once, or is coded so."""

FULL: Mapping[int, float] = {
    1: 6.2, 2: 8.8, 4: 6.6, 5: 3.3, 6: 3.6, 7: 2.5, 9: 8.4, 10: 9.8, 12: 14.2, 14: 4.8, 15: 5.5,
    16: 7.4, 17: 9.1, 18: 5.7, 20: 8.1, 23: 4.0, 24: 4.9, 25: 6.0, 26: 12.0, 45: 9.0,
}  # fmt: skip
"""Largest displacement of a landmark at full strength, percent OED: the natural proportion of the units
to each other (measured on ICT-FaceKit's shapes; 23, 25 and 26 judged from them)."""

CHANNELS: tuple[str, ...] = tuple(
    name for au in ANATOMY for name in ((f"{au}L", f"{au}R") if au not in MIDLINE else (f"{au}",))
)
"""Every channel of movement; amplitudes are percent OED of its most moved landmark."""


def split(name: str) -> tuple[int, str]:
    """'12L' -> (12, 'L'); '17' -> (17, '')."""
    return (int(name[:-1]), name[-1]) if name[-1] in "LR" else (int(name), "")
