"""Follow faces through a stream: points, head pose and a stable number for each.

in    Frame        one at a time, in order
out   list[Face]   the faces of that frame; empty where none was found

A face is followed by its own points: they say where to look in the next frame. The detector looks at
the whole picture only when no face is followed, when one was just lost, or every `detect_every_s`
while there is room for more. Nothing looks ahead.

A face smaller than `min_oed_px` is returned too, so that the caller can say why nothing was measured:
compare `face.oed`, or ask `FaceTracker.is_small`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError
from .face_models import FaceModels, Region
from .face_models.onnx import OnnxFaceModels
from .landmarks import N_MESH, N_POINTS
from .pose import head_pose
from .records import Face, Frame, Picture

MESH_MARGIN = 1.5
"""Side of the region over that of the box of the points: MediaPipe's."""
SAME = 0.33
"""Two regions are one face where their centres are nearer than this share of their mean side: half a
face, since a region is one and a half faces wide."""
NEAR = 0.8
"""Faces nearer than this share of the mean side disturb each other: no velocity is learnt there."""
VELOCITY_S = 0.15
"""Seconds over which a velocity is learnt; tuned on crossings at 25 to 200 fps."""
RETURN = 0.7
"""A face that comes back has its number again within this share of its side from where it was
expected, and ..."""
RETURN_SCALE = 1.6
"""... at no more than this ratio of sizes."""


@dataclass(frozen=True, slots=True)
class FaceConfig:
    """How faces are found and followed."""

    max_faces: int = 4
    """The largest ones are kept."""
    min_confidence: float = 0.5
    """0..1; below it a face is lost (MediaPipe's value)."""
    min_oed_px: float = 36.0
    """Outer-eye-corner distance in pixels under which nothing can be measured: 1 % of it, a small
    micro-expression, is then a third of a pixel."""
    detect_every_s: float = 0.5
    """Seconds between looks for further faces."""
    landmark_rate: float = 100.0
    """Points measured per second at most; between, they are carried along with the head's velocity.
    0: in every frame."""
    iris_rate: float = 25.0
    """Irises measured per second and eye; between, they are carried with the eye corners. 0: never,
    they then stand in the middle of the eye."""
    memory_s: float = 1.5
    """Seconds for which a lost face's number is kept for it."""

    def __post_init__(self) -> None:
        if self.max_faces < 1:
            raise MicroauError(f"max_faces is {self.max_faces}: give 1 or more")
        if not 0 < self.min_confidence < 1:
            raise MicroauError(f"min_confidence is {self.min_confidence}: give a number between 0 and 1")
        for name in ("min_oed_px", "detect_every_s", "landmark_rate", "iris_rate", "memory_s"):
            if not getattr(self, name) >= 0:
                raise MicroauError(f"{name} is {getattr(self, name)}: give 0 or more")


@dataclass(slots=True, eq=False)
class _Iris:
    """One iris relative to its eye, as complex numbers: 0 and 1 are the eye's corners."""

    left: bool
    shape: NDArray[np.complex128]
    time: float = -np.inf


@dataclass(slots=True, eq=False)
class _Track:
    """One face that is followed, or was lost a moment ago."""

    face_id: int
    points: NDArray[np.float32]
    """(478, 3)"""
    score: float
    time: float
    """Seconds, when the points were measured."""
    region: Region
    velocity: complex = 0j
    """Pixels per second, x + i y."""
    clear: tuple[float, complex] = (0.0, 0j)
    """When and where it was last seen with no other face near."""
    irises: tuple[_Iris, _Iris] = field(default_factory=lambda: (_resting_iris(False), _resting_iris(True)))

    def expected(self, time: float) -> complex:
        """Centre where its motion would have brought it."""
        return self.clear[1] + self.velocity * (time - self.clear[0])


class FaceTracker:
    """Stage: frames in, the faces of each out. `push` may be called from one thread at a time."""

    def __init__(self, config: FaceConfig | None = None, models: FaceModels | None = None) -> None:
        self.config = config or FaceConfig()
        self.models = models or OnnxFaceModels()
        self._live: list[_Track] = []
        self._lost: list[_Track] = []
        self._next_id = 0
        self._detected = -np.inf
        self._measured = -np.inf
        self._faces: list[Face] = []

    def push(self, frame: Frame) -> list[Face]:
        """Faces of this frame, lowest number first."""
        if frame.duplicate:
            return self._faces
        if self._live and self._rests(frame.time):
            self._faces = [_carried(track, frame.time) for track in self._live]
            return self._faces
        self._measured = frame.time
        before = len(self._live)
        self._follow(frame.picture, frame.time)
        if len(self._live) < before or self._detector_due(frame.time):
            self._discover(frame.picture, frame.time)
        self._live.sort(key=lambda track: track.face_id)
        for track in self._live:
            self._update_irises(track, frame.picture, frame.time)
        self._faces = [_face(track) for track in self._live]
        return self._faces

    def flush(self) -> list[Face]:
        """Nothing is held back."""
        return []

    def is_small(self, face: Face) -> bool:
        """True: too few pixels to measure a micro-expression."""
        return face.oed < self.config.min_oed_px

    def _rests(self, time: float) -> bool:
        """True: points were measured so lately that they are carried."""
        rate = self.config.landmark_rate
        return rate > 0 and (time - self._measured) * rate < 0.999

    def _detector_due(self, time: float) -> bool:
        if not self._live:
            return True
        measurable = sum(_oed(track.points) >= self.config.min_oed_px for track in self._live)
        return measurable < self.config.max_faces and time - self._detected >= self.config.detect_every_s

    def _follow(self, picture: Picture, time: float) -> None:
        """Measure every followed face where it was; those not found or taken over are lost."""
        for track in self._live:
            points, score = self.models.mesh(
                picture, _moved(track.region, track.velocity * (time - track.time))
            )
            track.score = score
            if score >= self.config.min_confidence:
                _take(track, points, time, self._is_clear(track))
        gone = {id(track) for track in self._live if track.score < self.config.min_confidence}
        gone |= {id(track) for track in self._usurpers(time)}
        self._lost += [track for track in self._live if id(track) in gone]
        self._live = [track for track in self._live if id(track) not in gone]
        self._lost = [track for track in self._lost if time - track.clear[0] <= self.config.memory_s]

    def _is_clear(self, track: _Track) -> bool:
        return all(other is track or _distance(track.region, other.region) > NEAR for other in self._live)

    def _usurpers(self, time: float) -> Iterable[_Track]:
        """Of two tracks on one face, the one that motion did not bring there."""
        for i, one in enumerate(self._live):
            for two in self._live[:i]:
                if _distance(one.region, two.region) < SAME:
                    yield max(one, two, key=lambda track: abs(track.expected(time) - _centre(track.region)))

    def _discover(self, picture: Picture, time: float) -> None:
        """Look at the whole picture; every face that is not followed yet gets a track."""
        self._detected = time
        for detection in self.models.detect(picture):
            if any(_distance(detection.region, track.region) < SAME for track in self._live):
                continue
            points, score = _settle(self.models, picture, detection.region)
            region = mesh_region(points)
            known = any(_distance(region, track.region) < SAME for track in self._live)
            if score >= self.config.min_confidence and not known:
                self._live.append(self._begin(points, score, region, time))
        self._live.sort(key=lambda track: -track.region.size)
        self._live = self._live[: self.config.max_faces]

    def _begin(self, points: NDArray[np.float32], score: float, region: Region, time: float) -> _Track:
        """A track with the number of the lost face that was expected here, else with a new one."""
        track = _Track(-1, with_irises(points), score, time, region, clear=(time, _centre(region)))
        old = self._returning(region, time)
        if old is None:
            track.face_id = self._next_id
            self._next_id += 1
        else:
            track.face_id = old.face_id
            self._lost.remove(old)
        return track

    def _returning(self, region: Region, time: float) -> _Track | None:
        def miss(track: _Track) -> float:
            return abs(track.expected(time) - _centre(region)) / track.region.size

        def fits(track: _Track) -> bool:
            ratio = region.size / track.region.size
            return miss(track) < RETURN and 1 / RETURN_SCALE < ratio < RETURN_SCALE

        return min(filter(fits, self._lost), key=miss, default=None)

    def _update_irises(self, track: _Track, picture: Picture, time: float) -> None:
        """Measure the irises that are due, at most one a frame once both were seen, and carry both."""
        rate = self.config.iris_rate
        if rate > 0 and _oed(track.points) >= self.config.min_oed_px:
            due = [iris for iris in track.irises if (time - iris.time) * rate >= 0.999]
            unseen = [iris for iris in due if iris.time == -np.inf]
            for iris in unseen or due[:1]:
                _measure_iris(iris, self.models, picture, track.points, time)
        for iris in track.irises:
            _place_iris(iris, track.points)


def find_faces(
    picture: Picture, config: FaceConfig | None = None, models: FaceModels | None = None
) -> list[Face]:
    """Faces in one still picture, surest first, numbered from 0.

    The points are measured twice, so that they do not depend on where the detector drew its box.
    """
    config, models = config or FaceConfig(), models or OnnxFaceModels()
    faces: list[Face] = []
    for detection in models.detect(picture)[: config.max_faces]:
        points, score = _settle(models, picture, detection.region)
        if score < config.min_confidence:
            continue
        track = _Track(len(faces), with_irises(points), score, 0.0, mesh_region(points))
        for iris in track.irises:
            if config.iris_rate:
                _measure_iris(iris, models, picture, track.points, 0.0)
            _place_iris(iris, track.points)
        faces.append(_face(track))
    return faces


def _settle(models: FaceModels, picture: Picture, region: Region) -> tuple[NDArray[np.float32], float]:
    """Points of a detected face, measured again from where they were first found."""
    points, _ = models.mesh(picture, region)
    return models.mesh(picture, mesh_region(points))


def mesh_region(points: NDArray[np.float32]) -> Region:
    """Where to look for a face whose points were these: MediaPipe's rule."""
    mesh = points[:N_MESH, :2]
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    along = points[263, :2] - points[33, :2]
    middle = (low + high) / 2
    side = MESH_MARGIN * float((high - low).max())
    return Region(float(middle[0]), float(middle[1]), side, float(np.arctan2(along[1], along[0])))


def with_irises(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Room for the ten points of the irises behind the mesh, (468, 3) -> (478, 3)."""
    return np.concatenate([points[:N_MESH], np.zeros((N_POINTS - N_MESH, 3), np.float32)])


def _take(track: _Track, points: NDArray[np.float32], time: float, clear: bool) -> None:
    """New points for a track; its velocity learns from them while no other face is near."""
    region = mesh_region(points)
    step = time - track.time
    if clear and step > 0:
        measured = (_centre(region) - _centre(track.region)) / step
        track.velocity += (measured - track.velocity) * (1 - np.exp(-step / VELOCITY_S))
    if clear:
        track.clear = (time, _centre(region))
    track.points[:N_MESH] = points
    track.region, track.time = region, time


def _face(track: _Track) -> Face:
    return Face(track.face_id, track.points.copy(), track.score, head_pose(track.points))


def _carried(track: _Track, time: float) -> Face:
    """The last points, moved on with the head."""
    shift = track.velocity * (time - track.time)
    points = track.points + np.array([shift.real, shift.imag, 0], np.float32)
    return Face(track.face_id, points, track.score, head_pose(points))


def _oed(points: NDArray[np.float32]) -> float:
    return float(np.hypot(*(points[33, :2] - points[263, :2])))


def _centre(region: Region) -> complex:
    return complex(region.x, region.y)


def _moved(region: Region, shift: complex) -> Region:
    return Region(region.x + shift.real, region.y + shift.imag, region.size, region.angle)


def _distance(one: Region, two: Region) -> float:
    """Between centres, in mean sides."""
    return abs(_centre(one) - _centre(two)) * 2 / (one.size + two.size)


# Irises are carried with the corners of their eye, so that they follow the head between two looks.


def _corners(left: bool, points: NDArray[np.float32]) -> tuple[complex, complex]:
    start, end = (points[i, :2] for i in ((362, 263) if left else (33, 133)))
    return complex(*start), complex(*end)


def _resting_iris(left: bool) -> _Iris:
    """In the middle of the eye, looking ahead, as wide as irises are: 11.7 mm of 30 mm."""
    return _Iris(left, 0.5 + 0.195 * np.array([0, 1, -1j, -1, 1j], np.complex128))


def _measure_iris(
    iris: _Iris, models: FaceModels, picture: Picture, points: NDArray[np.float32], time: float
) -> None:
    found = models.iris(picture, points, iris.left)
    start, end = _corners(iris.left, points)
    iris.shape = (found[:, 0] + 1j * found[:, 1] - start) / (end - start)
    iris.time = time


def _place_iris(iris: _Iris, points: NDArray[np.float32]) -> None:
    start, end = _corners(iris.left, points)
    place = start + iris.shape * (end - start)
    rows = slice(473, 478) if iris.left else slice(468, 473)
    points[rows, 0], points[rows, 1] = place.real, place.imag
    points[rows, 2] = points[[362, 263] if iris.left else [33, 133], 2].mean()
