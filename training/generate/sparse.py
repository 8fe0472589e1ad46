"""A third way to move a face: a few landmarks pulled by a table, the skin between them carried along.

The anatomical fields (`fields.py`) and the sculpted 3D face agree with each other more than with an
unknown face: both are careful. Here the table of `engine/aus.py` gives a unit five to eight points and
how far they go; a kernel of random width carries the skin around them along, whatever it is. So skin may
slide as a sheet or hardly follow at all, lids may drag the eyeball's rim, lips may move as one. A model
that reads a unit in all three reads the movement, not the hand that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ...engine.aus import MIRROR, UNITS
from .anatomy import MIDLINE, split
from .fields import Field, Style
from .mesh import canonical, mirror

WIDTHS = (9.0, 22.0)
"""Percent OED, standard deviation of the kernel: the height of a brow to half the width of the mouth."""
TREMBLE = 0.25
"""Standard deviation of the factor on each point's displacement: no two tables agree."""
CHANNELS = tuple(
    name for au in UNITS for name in ((f"{au}L", f"{au}R") if au not in MIDLINE else (f"{au}",))
)


class SparseFields(Mapping[str, Field]):
    """Channel -> (468, 3) displacement of the mesh points, the most moved by 1 % OED; depth stays.

    width  percent OED, standard deviation of the Gaussian kernel
    style  turns each unit and scales its reach, as for the anatomical fields
    seed   of the factors on the points' displacements
    """

    def __init__(self, width: float, style: Style, seed: int = 0) -> None:
        self._width, self._style, self._seed = width, style, seed

    def __getitem__(self, name: str) -> Field:
        if name not in CHANNELS:
            raise KeyError(name)
        au, side = split(name)
        spread = _spread(au, self._width * self._style.reach.get(name, 1.0), self._factors(au))
        if not side:
            both = (spread + spread[mirror()] * (-1, 1, 1)) / 2
            return np.asarray(both / _largest(both))
        turned = _turned(spread, self._style.turn.get(name, 0.0))
        one = turned if side == "R" else turned[mirror()] * (-1, 1, 1)
        return np.asarray(one / _largest(one))

    def __contains__(self, name: object) -> bool:
        return name in CHANNELS

    def __iter__(self) -> Iterator[str]:
        return iter(CHANNELS)

    def __len__(self) -> int:
        return len(CHANNELS)

    def _factors(self, au: int) -> Field:
        rng = np.random.default_rng([self._seed, au])
        return np.exp(TREMBLE * rng.normal(0, 1, len(UNITS[au].moves)))


def sparse_fields(style: Style) -> SparseFields:
    """The fields of one person at random; the same style gives the same ones."""
    numbers = np.array([*style.turn.values(), *style.reach.values()])
    rng = np.random.default_rng(np.round(1e6 * (numbers + 10)).astype(np.int64))
    return SparseFields(float(np.exp(rng.uniform(*np.log(WIDTHS)))), style, int(rng.integers(2**31)))


def _spread(au: int, width: float, factors: Field) -> Field:
    """(468, 3) the right half's (or a midline unit's) points with the skin around them.

    Normalised convolution: near a point the skin goes as that point does, far from all of them it rests.
    """
    unit = UNITS[au]
    points, moves = list(unit.moves), np.array(list(unit.moves.values())) * factors[:, None]
    if not unit.sided:  # written for the right half: the left is its mirror image
        twins = [MIRROR[p] for p in points if p in MIRROR]
        moves = np.vstack([moves, [moves[k] * (-1, 1) for k, p in enumerate(points) if p in MIRROR]])
        points = points + twins
    at = canonical()[:, :2]
    square = ((at[:, None] - at[points][None]) ** 2).sum(axis=2) / (2 * width**2)
    share = np.exp(-square)  # (468, P)
    total = share.sum(axis=1, keepdims=True)
    reach = share.max(axis=1, keepdims=True)
    moved = reach * (share @ moves) / np.maximum(total, 1e-12)
    return np.column_stack([moved, np.zeros(len(at))])


def _turned(field: Field, angle: float) -> Field:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(field @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]))


def _largest(field: Field) -> float:
    return float(np.linalg.norm(field[:, :2], axis=1).max())
