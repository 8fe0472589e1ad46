"""One followed face: its points, where it is going, and its irises, from one look to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .face_models import FaceModels, Region, mesh_region
from .landmarks import N_MESH, N_POINTS
from .pose import head_pose
from .records import Face, Picture

Mesh = NDArray[np.float32]

VELOCITY_S = 0.15
"""Seconds over which a velocity is learnt; tuned on drawn crossings at 25 to 200 fps."""
TRUSTED_S = 3.0
"""Seconds for which a face that another one covers is thought to go on as it went before."""
FARTHEST = 0.25
"""Of its side, that a face is carried along with its velocity: after a hole in the stream it is looked
for near where it was."""
NARROW = 2.0
"""Pixels, width of an eye in which no iris can be seen."""
IRIS_WIDTH = 0.39
"""Of the eye's: 11.7 mm of 30 mm."""
CORNERS = {False: (33, 133), True: (362, 263)}
"""Corners of the subject's right (False) and left eye, the image-left one first."""
ROWS = {False: slice(468, 473), True: slice(473, 478)}
"""The points of the right and the left iris."""


@dataclass(slots=True, eq=False)
class Iris:
    """One iris relative to its eye, as complex numbers: 0 and 1 are the eye's corners."""

    left: bool
    shape: NDArray[np.complex128]
    """(5,) centre, then the rim: image-right, top, image-left, bottom."""
    time: float = -np.inf
    """Seconds, when it was measured last."""

    @classmethod
    def resting(cls, left: bool) -> Iris:
        """In the middle of the eye."""
        rim = np.array([0, 1, -1j, -1, 1j], np.complex128)
        return cls(left, 0.5 + IRIS_WIDTH / 2 * rim)

    def measure(self, models: FaceModels, picture: Picture, points: Mesh, time: float) -> None:
        """Look at it in the eye of these points (478, 3)."""
        start, end = self._corners(points)
        self.time = time
        if abs(end - start) < NARROW:
            return
        found = models.iris(picture, points, self.left)
        self.shape = (found[:, 0] + 1j * found[:, 1] - start) / (end - start)

    def place(self, points: Mesh) -> None:
        """Write its five points where the eye now is; as deep as the corners of the eye are."""
        start, end = self._corners(points)
        place, rows = start + self.shape * (end - start), ROWS[self.left]
        points[rows, 0], points[rows, 1] = place.real, place.imag
        points[rows, 2] = points[CORNERS[self.left], 2].mean()

    def _corners(self, points: Mesh) -> tuple[complex, complex]:
        start, end = (points[i, :2] for i in CORNERS[self.left])
        return complex(*start), complex(*end)


@dataclass(slots=True, eq=False)
class Track:
    """One face that is followed, or was lost a moment ago."""

    face_id: int
    points: Mesh
    """(478, 3)"""
    score: float
    time: float
    """Seconds, when the points were measured."""
    region: Region
    """Where it was then."""
    pose: tuple[float, float, float]
    """Yaw, pitch, roll in degrees, then."""
    velocity: complex = 0j
    """Pixels per second, x + i y."""
    clear: tuple[float, complex] = (0.0, 0j)
    """When and where it was last seen with no other face near."""
    irises: tuple[Iris, Iris] = field(default_factory=lambda: (Iris.resting(False), Iris.resting(True)))

    @classmethod
    def begin(cls, points: Mesh, score: float, time: float) -> Track:
        """From the first mesh (468, 3)."""
        room = np.zeros((N_POINTS - N_MESH, 3), np.float32)
        region = mesh_region(points)
        clear = (time, region.centre)
        return cls(-1, np.concatenate([points, room]), score, time, region, head_pose(points), clear=clear)

    def take(self, points: Mesh, time: float, clear: bool) -> None:
        """New points; `clear`: no other face is near, so that its motion is its own."""
        region = mesh_region(points)
        step = time - self.time
        if clear and step > 0:
            measured = (region.centre - self.region.centre) / step
            self.velocity += (measured - self.velocity) * (1 - np.exp(-step / VELOCITY_S))
        if clear:
            self.clear = (time, region.centre)
        self.points[:N_MESH] = points
        self.region, self.pose, self.time = region, head_pose(points), time

    def expected(self, time: float) -> complex:
        """Centre where its own motion would have brought it; where it was, once that is long ago."""
        since = time - self.clear[0]
        return self.clear[1] + self.velocity * since if since < TRUSTED_S else self.region.centre

    def miss(self, region: Region, time: float) -> float:
        """How far a face lies from where this one was seen last or is expected, the nearer; in sides."""
        places = self.clear[1], self.expected(time)
        return min(abs(region.centre - place) for place in places) / self.region.size

    def next_region(self, time: float) -> Region:
        """Where to look for it."""
        return self.region.moved(self._shift(time))

    def _shift(self, time: float) -> complex:
        """How far the head has moved on since it was measured."""
        shift = self.velocity * (time - self.time)
        return shift * min(1.0, FARTHEST * self.region.size / max(abs(shift), 1e-9))

    def face(self) -> Face:
        return Face(self.face_id, self.points.copy(), self.score, self.pose)

    def carried(self, time: float) -> Face:
        """The last points, moved on with the head."""
        shift = self._shift(time)
        points = self.points + np.array([shift.real, shift.imag, 0], np.float32)
        return Face(self.face_id, points, self.score, self.pose)
