"""How the skin moves for each action unit: displacement of the 468 mesh points, written from anatomy.

A muscle pulls the skin at its insertion towards its origin, most at the insertion and less with
distance (the linear muscle of Waters, SIGGRAPH 1987, with one reach for each of four directions).
Insertions, directions and the accompanying movements follow the FACS manual (Ekman, Friesen & Hager
2002). Lids and lips are barriers: what moves one margin does not move the other.

Everything is in the face frame of `mesh.canonical`: percent of the outer-eye-corner distance (OED),
x towards the subject's left, y down, z away from the camera. Units are written for the subject's left
half; the right half is the mirror image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import (
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    N_MESH,
)
from .mesh import canonical, mirror

Field = NDArray[np.float64]
FieldsOf = Mapping[str, Field]
"""Channel -> (468, 3) displacement of the mesh points, percent OED, the most moved by 1: whose ever."""

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
SIDED = tuple(au for au in ANATOMY if au not in MIDLINE)

FULL: Mapping[int, float] = {
    1: 6.2, 2: 8.8, 4: 6.6, 5: 3.3, 6: 3.6, 7: 2.5, 9: 8.4, 10: 9.8, 12: 14.2, 14: 4.8, 15: 5.5,
    16: 7.4, 17: 9.1, 18: 5.7, 20: 8.1, 23: 4.0, 24: 4.9, 25: 6.0, 26: 12.0, 45: 9.0,
}  # fmt: skip
"""Largest displacement of a landmark at full strength, percent OED: the natural proportion of the units
to each other (measured on ICT-FaceKit's shapes; 23, 25 and 26 judged from them)."""


def channel(au: int, side: str = "") -> str:
    """'12L', '12R', '17': one muscle that can move by itself."""
    return f"{au}{side}"


CHANNELS: tuple[str, ...] = tuple(
    name for au in ANATOMY for name in ((f"{au}L", f"{au}R") if au not in MIDLINE else (f"{au}",))
)
"""Every channel of movement; amplitudes are percent OED of its most moved landmark."""


def split(name: str) -> tuple[int, str]:
    """'12L' -> (12, 'L'); '17' -> (17, '')."""
    return (int(name[:-1]), name[-1]) if name[-1] in "LR" else (int(name), "")


@dataclass(frozen=True, slots=True)
class Style:
    """How one person moves: the same muscles, a little differently run and tied to their neighbours."""

    turn: Mapping[str, float] = field(default_factory=dict)
    """Channel -> radians by which the pull is turned (clockwise in the picture on the left half)."""
    reach: Mapping[str, float] = field(default_factory=dict)
    """Channel -> factor on the reaches."""
    company: Mapping[str, float] = field(default_factory=dict)
    """Channel -> factor on accompanying movements."""

    @classmethod
    def random(cls, rng: np.random.Generator) -> Style:
        """A person at random: direction within about 15 degrees, reach within 35 %."""
        own = {au: rng.normal(0, 1, 3) for au in ANATOMY}  # both halves of a face are much alike

        def draw(name: str) -> NDArray[np.float64]:
            return np.asarray(0.85 * own[split(name)[0]] + 0.53 * rng.normal(0, 1, 3))

        draws = {name: draw(name) for name in CHANNELS}
        return cls(
            turn={n: float(np.clip(d[0], -2, 2) * 0.13) for n, d in draws.items()},
            reach={n: float(np.exp(np.clip(d[1], -2, 2) * 0.16)) for n, d in draws.items()},
            company={n: float(np.exp(np.clip(d[2], -2, 2) * 0.35)) for n, d in draws.items()},
        )


class Fields(Mapping[str, Field]):
    """Displacement of every channel of one person: name -> (468, 3), the most moved landmark by 1 % OED.

    Computed when first asked for.

    style   None: everybody's
    points  (468, 3) the person's mesh in the face frame, for the blink, which must shut this eye
    """

    def __init__(self, style: Style | None = None, points: Field | None = None) -> None:
        self._style, self._points = style or Style(), points
        self._known: dict[str, Field] = {}

    def __getitem__(self, name: str) -> Field:
        if name not in self._known:
            if name not in CHANNELS:
                raise KeyError(name)
            self._known[name] = _field(name, self._style, self._points)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(CHANNELS)

    def __len__(self) -> int:
        return len(CHANNELS)


def _field(name: str, style: Style, points: Field | None) -> Field:
    au, side = split(name)
    at = canonical()
    turn, reach = style.turn.get(name, 0.0), style.reach.get(name, 1.0)
    company = style.company.get(name, 1.0)
    left = np.zeros((N_MESH, 3))
    for action in ANATOMY[au]:
        left += _moved(action, at, turn if au not in MIDLINE else 0.0, reach) * (
            1.0 if action.main else company
        )
    if au == 45 and points is not None:
        left = _closing(points if side == "L" else points[mirror()] * (-1, 1, 1), left)
    if au in MIDLINE:
        total = _symmetric(left, ANATOMY[au])
    else:
        total = left if side == "L" else left[mirror()] * (-1, 1, 1)
    return np.asarray(total / np.linalg.norm(total[:, :2], axis=1).max())


def _symmetric(left: Field, actions: tuple[Action, ...]) -> Field:
    """Both halves of a midline unit: off-centre pulls act on each side, central ones once."""
    right = left[mirror()] * (-1, 1, 1)
    return np.asarray((left + right) / 2)


def _moved(action: Action, at: Field, turn: float, reach: float) -> Field:
    if isinstance(action, Lid):
        return _lid(action, at, turn)
    if isinstance(action, Sink):
        return _sink(action, at, reach)
    return _pull(action, at, turn, reach)


def _pull(pull: Pull, at: Field, turn: float, reach: float) -> Field:
    offset = at[:, :2] - pull.centre
    medial, lateral, up, down = (r * reach for r in pull.reach)
    x = offset[:, 0] / np.where(offset[:, 0] < 0, medial, lateral)
    y = offset[:, 1] / np.where(offset[:, 1] < 0, up, down)
    share = _falloff(x**2 + y**2) * _part(pull.part, at)
    return np.asarray(share[:, None] * _turned(pull.way, turn))


def _sink(sink: Sink, at: Field, reach: float) -> Field:
    offset = (at[:, :2] - sink.centre) / (sink.radius * reach)
    share = _falloff((offset**2).sum(axis=1))
    inward = -offset * 3.2 * sink.pull  # the steepest place, at 0.4 of the radius, moves by about `pull`
    return np.asarray(np.column_stack([inward, np.full(len(at), 0.6 * sink.pull)]) * share[:, None])


def _falloff(square: Field) -> Field:
    """1 at the centre, 0 from distance 1 on, smooth at both ends."""
    return np.asarray(np.clip(1 - square, 0, None) ** 2)


def _turned(way: tuple[float, float, float], angle: float) -> Field:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * way[0] - s * way[1], s * way[0] + c * way[1], way[2]])


@lru_cache(maxsize=1)
def _below() -> Field:
    """(468,) 1 below the line between the lips, 0 above; beside the mouth the one runs into the other."""
    at = canonical()
    beside = np.clip((np.abs(at[:, 0]) - 24) / 14, 0, 1)
    return np.asarray(0.5 + 0.5 * np.tanh((at[:, 1] - SEAM) / (0.8 + 11 * beside)))


def _part(part: str, at: Field) -> Field:
    if part == "all":
        return np.ones(len(at))
    return _below() if part == "lower" else np.asarray(1 - _below())


def _lid(lid: Lid, at: Field, turn: float) -> Field:
    margin = at[LEFT_UPPER_LID if lid.upper else LEFT_LOWER_LID]
    order = np.argsort(margin[:, 0])
    inner, outer = margin[:, 0].min(), margin[:, 0].max()
    height = np.interp(at[:, 0], margin[order, 0], margin[order, 1])
    along = np.clip((at[:, 0] - inner) / (outer - inner), 0, 1)
    behind = (height - at[:, 1] if lid.upper else at[:, 1] - height) / lid.skin
    of_lid = behind > -0.02  # the margin itself and the skin behind it, not the other margin
    share = np.sin(np.pi * along) ** 0.8 * np.where(of_lid, _falloff(np.clip(behind, 0, 1) ** 2), 0)
    return np.asarray(share[:, None] * _turned(lid.way, turn))


def _closing(points: Field, share: Field) -> Field:
    """Scale a blink so that the upper margin of these eyes meets the lower one."""
    gap = lid_gap(points)
    upper, lower = points[LEFT_UPPER_LID], points[LEFT_LOWER_LID]
    wanted = np.interp(points[:, 0], *_sorted(upper[:, 0], gap))
    scale = np.where(share[:, 1] > 0, wanted / max(float(gap.max()), 1e-6), 1.0)
    peak = np.interp(points[:, 0], *_sorted(upper[:, 0], share[LEFT_UPPER_LID, 1]))
    closed = share.copy()
    down = share[:, 1] > 0
    closed[down, 1] *= (scale / np.maximum(peak, 0.05))[down]
    closed[LEFT_UPPER_LID, 0] *= 0
    return closed if len(lower) else share


def _sorted(x: Field, y: Field) -> tuple[Field, Field]:
    order = np.argsort(x)
    return x[order], y[order]


def lid_gap(points: Field) -> Field:
    """(9,) height of the left eye's opening above each point of the upper margin, percent OED."""
    upper, lower = points[LEFT_UPPER_LID], points[LEFT_LOWER_LID]
    return np.maximum(np.interp(upper[:, 0], *_sorted(lower[:, 0], lower[:, 1])) - upper[:, 1], 0)
