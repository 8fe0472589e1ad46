"""From a scenario and a face to pictures: one (H, W, 3) uint8 frame at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...engine.registration import Affine
from .fields import Style
from .scenario import FieldsOf, Scenario
from .state import State

F32 = NDArray[np.float32]


class Face(Protocol):
    """A face that can be drawn in any state: `warp.PhotoFace`, `face3d.IctFace`."""

    fields: FieldsOf
    drawn_oed: float
    """Eye distance in pixels on the canvas that `frame` gives."""

    def with_style(self, style: Style) -> Face:
        """The same face, moving in another person's way."""
        ...

    def render(self, state: State, matrix: Affine, size: tuple[int, int]) -> F32:
        """(height, width, C) picture, 0..255 before rounding."""
        ...

    def landmarks(self, state: State, matrix: Affine) -> F32:
        """(478, 3) true points on the canvas."""
        ...

    def frame(self, size: tuple[int, int]) -> Affine:
        """Affine from canvas pixels to the face's own pixels that shows it well in that size."""
        ...


def render(
    scenario: Scenario,
    face: Face,
    times: Sequence[float],
    size: tuple[int, int] = (640, 480),
    noise: float = 1.5,
    seed: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Frames (height, width, 3) RGB uint8 of a clip at the given times in seconds.

    noise  standard deviation of the sensor's noise in gray levels, before rounding
    """
    matrix, rng = face.frame(size), np.random.default_rng(seed)
    for time in times:
        picture = face.render(scenario.state(time), matrix, size)
        picture += rng.normal(0, noise, picture.shape).astype(np.float32)
        yield np.clip(np.rint(picture), 0, 255).astype(np.uint8)
