"""Table I of Micro-AU CLIP: which of the 68 landmarks stand for each unit, and the layout made of it.

The landmarks count from 0 (iBUG 300-W) and are found on the apex frame. They are named here by their
mesh points (`engine.landmarks.IBUG68`), so that the stream's own faces serve the paper's model too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...engine.errors import MicroauError
from ...engine.landmarks import IBUG68
from ..layout import Layout

_BROWS = (19, 20, 21, 22, 23, 24)
TABLE_I: Mapping[int, tuple[int, ...]] = {
    1: _BROWS,
    2: _BROWS,
    4: _BROWS,
    7: (38, 41, 44, 47),
    12: (48, 54),
    14: (55, 59, 60, 64),
    15: (48, 54),
    17: (7, 8, 9, 57),
}
"""Unit -> landmarks of iBUG."""

CASME2_UNITS = (1, 2, 4, 7, 12, 14, 15, 17)
SAMM_UNITS = (2, 4, 7, 12)
"""Units with more than 14 samples."""


def paper_layout(aus: Sequence[int]) -> Layout:
    """The layout of Table I. The paper decides no side, so every unit is whole ('middle').

    Raises MicroauError for a unit that Table I does not have; `Layout.of` knows landmarks of others.
    """
    if unknown := sorted(set(aus) - set(TABLE_I)):
        raise MicroauError(
            f"AU {', '.join(map(str, unknown))}: not in the paper's Table I, which has"
            f" {', '.join(map(str, TABLE_I))}"
        )
    units = [TABLE_I[au] for au in sorted(aus)]
    points = sorted({int(IBUG68[k]) for unit in units for k in unit})
    place = {point: k for k, point in enumerate(points)}
    nothing: tuple[tuple[int, ...], ...] = ((),) * len(units)
    middle = tuple(tuple(place[int(IBUG68[k])] for k in unit) for unit in units)
    return Layout(tuple(sorted(aus)), tuple(points), nothing, nothing, middle)
