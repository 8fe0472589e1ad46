"""Which units a model knows and which landmarks stand for each: the token table of model and bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.aus import UNITS
from ..engine.tokens import landmark_table

DEFAULT_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)


@dataclass(frozen=True, slots=True)
class Layout:
    """Landmarks are counted by their position in `landmarks`; a unit without sides has all in `middle`."""

    aus: tuple[int, ...]
    """FACS numbers, ascending: the order of all outputs."""
    landmarks: tuple[int, ...]
    """Points of the 478-point mesh that the model takes."""
    right: tuple[tuple[int, ...], ...]
    """Per unit, the subject's right half."""
    left: tuple[tuple[int, ...], ...]
    middle: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, aus: Sequence[int]) -> Layout:
        """From the tables of `engine/aus.py`."""
        units = [UNITS[au] for au in sorted(aus)]
        points = sorted({p for unit in units for p in (*unit.right, *unit.left, *unit.middle)})
        place = {point: k for k, point in enumerate(points)}

        def positions(mesh: Sequence[int]) -> tuple[int, ...]:
            return tuple(place[point] for point in mesh)

        return cls(
            aus=tuple(unit.number for unit in units),
            landmarks=tuple(points),
            right=tuple(positions(u.right) if u.sided else () for u in units),
            left=tuple(positions(u.left) if u.sided else () for u in units),
            middle=tuple(positions(u.middle if u.sided else (*u.right, *u.left, *u.middle)) for u in units),
        )

    @property
    def tokens(self) -> tuple[tuple[int, ...], ...]:
        """Per unit, all its landmarks: right, left, middle."""
        return tuple(r + le + m for r, le, m in zip(self.right, self.left, self.middle, strict=True))

    @property
    def sided(self) -> NDArray[np.bool_]:
        """(N,) which units have sides."""
        return np.array([bool(half) for half in self.right])

    def table(self) -> NDArray[np.int64]:
        """(N, L) positions, filled up with -1."""
        return landmark_table(self.tokens)

    def side_masks(self) -> NDArray[np.bool_]:
        """(N, 2, L): which places of `table` show the subject's left and right; midline counts for both."""
        table = self.table()
        masks = np.repeat((table >= 0)[:, None], 2, axis=1)
        for n, (right, left) in enumerate(zip(self.right, self.left, strict=True)):
            masks[n, 0, : len(right)] = False
            masks[n, 1, len(right) : len(right) + len(left)] = False
        return masks
