"""How the skin of one person moves for each action unit: displacement of the 468 mesh points.

The muscles of `anatomy.py`, run in the person's own style. Lids and lips are barriers: what moves one
margin does not move the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import LEFT_LOWER_LID, LEFT_UPPER_LID, N_MESH
from .anatomy import ANATOMY, CHANNELS, MIDLINE, SEAM, Action, Lid, Pull, Sink, split
from .mesh import canonical, mirror

Field = NDArray[np.float64]
FieldsOf = Mapping[str, Field]
"""Channel -> (468, 3) displacement of the mesh points, percent OED, the most moved by 1: whose ever."""


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


class Layered(Mapping[str, Field]):
    """Several descriptions of one face, each asked for the channels that those before do not have."""

    def __init__(self, *layers: FieldsOf) -> None:
        self._layers = layers

    def __getitem__(self, name: str) -> Field:
        for layer in self._layers:
            if name in layer:
                return layer[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self._layers)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for layer in self._layers for name in layer))

    def __len__(self) -> int:
        return len(list(iter(self)))


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


def _closing(points: Field, lids: Field) -> Field:
    """A blink of these eyes: every column of the upper lid comes down by the opening below it."""
    across, margin = points[LEFT_UPPER_LID, 0], lids[LEFT_UPPER_LID, 1]
    gap = lid_gap(points)
    wanted = np.interp(points[:, 0], *_sorted(across, gap / max(float(gap.max()), 1e-6)))
    peak = np.interp(points[:, 0], *_sorted(across, margin))
    closed = lids.copy()
    closed[:, 1] *= np.where(lids[:, 1] > 0, wanted / np.maximum(peak, 0.05), 1.0)
    closed[LEFT_UPPER_LID, 0] = 0
    return closed


def _sorted(x: Field, y: Field) -> tuple[Field, Field]:
    order = np.argsort(x)
    return x[order], y[order]


def lid_gap(points: Field) -> Field:
    """(9,) height of the left eye's opening above each point of the upper margin, percent OED."""
    upper, lower = points[LEFT_UPPER_LID], points[LEFT_LOWER_LID]
    return np.maximum(np.interp(upper[:, 0], *_sorted(lower[:, 0], lower[:, 1])) - upper[:, 1], 0)
