"""What finds a face and its points in one picture, behind one interface; `faces.py` adds time and identity.

`onnx.py`     MediaPipe's models, run by ONNX Runtime: the default
`runtime.py`  MediaPipe's own runtime, where it is installed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import MicroauError
from ..records import Picture

BACKENDS = ("onnx", "mediapipe")


@dataclass(frozen=True, slots=True)
class Region:
    """A square over a face, turned with it."""

    x: float
    y: float
    """Centre in pixels."""
    size: float
    """Side in pixels."""
    angle: float = 0.0
    """Radians, clockwise as seen in the picture: 0 where the face stands upright."""

    @property
    def centre(self) -> complex:
        """The centre as x + i y."""
        return complex(self.x, self.y)

    def moved(self, shift: complex) -> Region:
        """The same square elsewhere."""
        return Region(self.x + shift.real, self.y + shift.imag, self.size, self.angle)

    def distance(self, other: Region) -> float:
        """Between the centres, in mean sides."""
        return abs(self.centre - other.centre) * 2 / (self.size + other.size)

    def to_picture(self, size: int) -> NDArray[np.float64]:
        """Affine (2, 3) from the pixels of a size x size crop to those of the picture.

        As MediaPipe's: crop pixel i lies i / size of the side from the edge, with no half-pixel shift.
        """
        step = self.size / size
        cos, sin = np.cos(self.angle) * step, np.sin(self.angle) * step
        half = size / 2
        return np.array(
            [
                [cos, -sin, self.x - half * (cos - sin)],
                [sin, cos, self.y - half * (sin + cos)],
            ]
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """One face as the detector sees it."""

    region: Region
    """Where to look for its points."""
    score: float
    """0..1"""


class FaceModels(Protocol):
    """Stateless: the same picture gives the same answer."""

    def detect(self, picture: Picture, view: Region | None = None) -> list[Detection]:
        """Faces in the whole picture, or in one square of it, surest first."""
        ...

    def mesh(self, picture: Picture, region: Region) -> tuple[NDArray[np.float32], float]:
        """Points (468, 3) in pixels of the picture, and the face's score 0..1."""
        ...

    def iris(self, picture: Picture, points: NDArray[np.float32], left: bool) -> NDArray[np.float32]:
        """Centre and rim (5, 2) of one iris in pixels of the picture; `left`: the subject's left eye."""
        ...


MESH_MARGIN = 1.5
"""Side of the region over that of the box of the points: MediaPipe's."""


def mesh_region(points: NDArray[np.float32]) -> Region:
    """Where to look for a face whose points (468 or 478, 2 or 3) were these: MediaPipe's rule."""
    x, y = points[:468, 0], points[:468, 1]
    left, right, top, bottom = (float(edge) for edge in (x.min(), x.max(), y.min(), y.max()))
    side = MESH_MARGIN * max(right - left, bottom - top)
    angle = float(np.arctan2(y[263] - y[33], x[263] - x[33]))
    return Region((left + right) / 2, (top + bottom) / 2, side, angle)


def whole(picture: Picture) -> Region:
    """The smallest square around the picture."""
    return Region(picture.width / 2, picture.height / 2, max(picture.width, picture.height))


def open_models(backend: str = "onnx", task: str | None = None) -> FaceModels:
    """The face models of a back end, one of BACKENDS; `task`: the model bundle of mediapipe alone.

    Raises MicroauError where the back end is unknown, not installed or has no models.
    """
    if backend == "onnx":
        from .onnx import OnnxFaceModels

        return OnnxFaceModels()
    if backend == "mediapipe":
        from .runtime import RuntimeFaceModels

        return RuntimeFaceModels(task)
    raise MicroauError(f"no face back end {backend}: give one of {', '.join(BACKENDS)}")
