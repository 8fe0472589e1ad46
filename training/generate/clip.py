"""From a scenario, a face and a camera to pictures: one (H, W, 3) uint8 frame at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...engine.registration import Affine
from .camera import Camera, Shot
from .fields import FieldsOf, Style
from .scenario import Scenario
from .state import State

F32 = NDArray[np.float32]


class Face(Protocol):
    """A face that can be drawn in any state: `warp.PhotoFace`, `face3d.IctFace`."""

    @property
    def fields(self) -> FieldsOf:
        """How far every channel moves the mesh points."""
        ...

    @property
    def drawn_oed(self) -> float:
        """Eye distance in pixels on the canvas that `frame` gives."""
        ...

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
    scenario: Scenario, face: Face, camera: Camera, shots: Sequence[Shot], rng: np.random.Generator
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Presentation time and frame (height, width, C) uint8 of every shot, in order."""
    matrix = face.frame(camera.size)
    last: tuple[float, NDArray[np.uint8]] | None = None
    for shot in shots:
        if last is None or last[0] != shot.content:
            picture = face.render(scenario.state(shot.content), matrix, camera.size)
            last = shot.content, camera.expose(picture, shot.content, rng)
        yield shot.time, last[1]
